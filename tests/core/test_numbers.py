"""Numbers: one grammar of words, one set of checks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from robust_restoration import InputError
from robust_restoration.numbers import (
    check_count,
    check_fraction,
    check_level,
    check_levels,
    check_positive,
    check_range,
    parse_attack,
    parse_call,
    parse_level,
    parse_levels,
    parse_options,
    parse_value,
)


def test_levels():
    assert parse_level("25") == parse_level("25/255") == 25 / 255
    assert parse_level("0.1") == 0.1
    assert parse_level("0.6/255") == pytest.approx(0.6 / 255)
    assert parse_level("3e-3") == parse_levels("3e-3") == 3e-3
    assert parse_level("0") == 0
    assert parse_levels("0-25") == parse_levels("0..25/255") == (0.0, 25 / 255)
    assert parse_levels("25") == 25 / 255
    for text in ("1/3/2", "300", "-1", "", "x", "nan", "1/0", "2/1", "1e999"):
        with pytest.raises(InputError, match="not a level; expected 25/255"):
            parse_level(text)
    with pytest.raises(InputError, match="the higher level first"):
        parse_levels("25-5")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("25", "eps", 25 / 255),
        ("25/255", "eps", 25 / 255),
        ("0.1", "sigma", 0.1),
        ("0..25", "sigma", (0.0, 25 / 255)),
        ("0-25", "sigma", (0.0, 25 / 255)),
        ("[3, 8/255]", "epsilons", (3 / 255, 8 / 255)),
        ("3/1", "eps", 3.0),  # a length in the L2 norm
        ("25", "steps", 25),
        ("1/2", "probability", 0.5),
        ("2", "alpha", 2),  # a defense's weight
        ("0..1", "clip", (0, 1)),
        ("1,0.9", "scales", (1, 0.9)),
        ("[obsatk, pgd]", "attacks", ("obsatk", "pgd")),
        ("true", "shared", True),
        ("none", "clip", None),
        ("inf", "norm", math.inf),
        ("1e-3", "lr", 1e-3),
        ("../cache/1..2", "cache", "../cache/1..2"),
        ("a/b-c", "sigma", "a/b-c"),
        ("'8'", "name", "8"),
        ("nan", "x", "nan"),
    ],
)
def test_values(text, name, value):
    parsed = parse_value(text, name)
    assert parsed == value
    assert type(parsed) is type(value)


def test_options_and_calls():
    assert parse_options(["max-iter=3", "eps=8"]) == {"max_iter": 3, "eps": 8 / 255}
    assert parse_attack("torchattacks/pgd eps=8 alpha=2 steps=10") == (
        "torchattacks/pgd",
        {"eps": 8 / 255, "alpha": 2 / 255, "steps": 10},
    )
    assert parse_call("denoiser:dncnn_b file='a b'") == ("denoiser:dncnn_b", {"file": "a b"})
    assert parse_options(["eps=1/2/3"]) == {"eps": "1/2/3"}  # a word; the option's check refuses
    for words in (["eps"], ["=3"], ["a=1", "a=2"], ["sigma=300"]):
        with pytest.raises(InputError):
            parse_options(words)
    for text in ("", "eps=3", "pgd 'eps"):
        with pytest.raises(InputError):
            parse_call(text)


def test_checks_accept():
    assert check_count("steps", np.int64(3)) == 3
    assert check_count("seed", 0, at_least=0) == 0
    assert check_fraction("share", 0) == 0.0
    assert check_level("eps", 8 / 255) == 8 / 255
    assert check_level("eps", 3, highest=math.inf) == 3
    levels = torch.tensor([0.1, 0.2])
    assert check_level("eps", levels) is levels
    assert check_levels("sigma", 0.1) == (0.1, 0.1)
    assert check_levels("sigma", [0, 0.1]) == (0.0, 0.1)
    assert check_positive("photons", 30) == 30.0
    assert check_range("clip", (0, 1)) == (0.0, 1.0)


def test_checks_refuse():
    for value in (0, -1, 1.5, True, "3", None, math.nan):
        with pytest.raises(InputError, match=r"steps is .*expected a whole number, 1 or more"):
            check_count("steps", value)
    with pytest.raises(InputError, match="1 to 100"):
        check_count("quality", 101, 1, 100)
    for value in (-0.1, 1.1, math.nan, True, "0.5"):
        with pytest.raises(InputError, match="expected a share from 0 to 1"):
            check_fraction("share", value)
    with pytest.raises(InputError, match="above 0 and up to 1"):
        check_fraction("mix", 0, above=0)
    with pytest.raises(InputError, match=r"eps is 25; .*write 25/255"):
        check_level("eps", 25)
    with pytest.raises(InputError, match=r"write 8/255"):
        check_level("eps", torch.tensor([0.1, 8.0]))
    for value in (-1, math.inf, None, "25", 256):
        with pytest.raises(InputError, match="levels are fractions"):
            check_level("eps", value)
    for value in ((0.2, 0.1), (0.1,), (0.1, 25)):
        with pytest.raises(InputError, match="sigma is"):
            check_levels("sigma", value)
    for value in (0, -1, math.inf, True, "1"):
        with pytest.raises(InputError, match="expected a number above 0"):
            check_positive("photons", value)
    for value in (1, (1, 0), (0, math.nan), "01"):
        with pytest.raises(InputError, match=r"expected \(low, high\)"):
            check_range("clip", value)


@pytest.mark.parametrize("text", ["[1,2", "(1,[2", "[" * 500, "[" * 500 + "]" * 500])
def test_brackets_that_do_not_match(text: str) -> None:
    with pytest.raises(InputError, match="brackets that do not match"):
        parse_value(text, "eps")


def test_options_are_called_as_python_can_call_them() -> None:
    with pytest.raises(InputError, match="'a b=3' is not an option"):
        parse_options(["a b=3"])
    for word in ("model", "name"):
        with pytest.raises(InputError, match=f"'{word}' is no option of an attack"):
            parse_attack(f"mine {word}=5")
