"""Noise models by name and from one word."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from robust_restoration.degradations import noise as noise_module
from robust_restoration.degradations.names import (
    NOISES,
    create_noise,
    list_noises,
    parse_noise,
)
from robust_restoration.degradations.noise import (
    Gaussian,
    Impulse,
    MixedLevels,
    Noise,
    Poisson,
    SaltAndPepper,
)
from robust_restoration.errors import InputError, UnknownNameError
from robust_restoration.plugins.hooks import Entry
from robust_restoration.plugins.registry import Plugin, Registry
from robust_restoration.plugins.targets import load_target


def test_every_model_of_the_core_has_a_name():
    named = {load_target(entry) for entry in NOISES}
    models = {
        model
        for name, model in vars(noise_module).items()
        if inspect.isclass(model) and issubclass(model, Noise) and name[0] != "_"
    }
    assert named == models - {Noise}
    assert {entry.name for entry in NOISES} <= set(list_noises())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gaussian:25/255", Gaussian(25 / 255)),
        ("gaussian:0..55/255", Gaussian((0, 55 / 255))),
        ("gaussian:sigma=0.1,clip=0..1", Gaussian(0.1, clip=(0, 1))),
        ("impulse:0.2,0.3", Impulse(0.2, 0.3)),
        ("impulse: 0.2 , probability = 1/4", Impulse(0.2, 0.25)),
        ("mixed_levels:25/255..26/255", MixedLevels((25 / 255, 26 / 255))),
        ("mixed_levels:0.1..0.2,proportions=1..3", MixedLevels((0.1, 0.2), (1, 3))),
        ("poisson:500,75", Poisson(500, 75)),
        ("poisson:500,dispersion=none", Poisson(500)),
        ("salt_and_pepper:1e-1", SaltAndPepper(0.1)),
    ],
)
def test_one_word(text, expected):
    assert parse_noise(text) == expected


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("gausian:0.1", UnknownNameError, "'gaussian'"),
        ("", UnknownNameError, "There is no noise"),
        ("gaussian", InputError, "sigma"),
        ("gaussian:", InputError, "sigma"),
        ("gaussian:25", InputError, "25/255"),
        ("gaussian:a/255", InputError, "a/255"),
        ("gaussian:1/0", InputError, "1/0"),
        ("gaussian:0..", InputError, "'0..'"),
        ("gaussian:0.1,0.2", InputError, "gaussian"),
        ("gaussian:sgima=0.1", InputError, "'sigma'"),
        ("gaussian:sigma=0.1=0.2", InputError, "0.1=0.2"),
        ("impulse:sigma=0.1,0.2", InputError, "without a name"),
    ],
)
def test_a_wrong_word_is_refused(text, error, match):
    with pytest.raises(error, match=match):
        parse_noise(text)


def test_a_plugin_may_bring_more(monkeypatch):
    entries = [
        Entry("dust", "robust_restoration.degradations.noise:SaltAndPepper"),
        Entry("gaussian", "robust_restoration.degradations.noise:SaltAndPepper"),
    ]
    plugin = Plugin("mine", "mine", "mine", "1", entries={"noises": entries})
    found = Registry([plugin])
    monkeypatch.setattr("robust_restoration.degradations.names.registry", lambda: found)
    assert "dust" in list_noises()
    assert parse_noise("dust:0.1") == SaltAndPepper(0.1)
    assert create_noise("gaussian", 0.1) == Gaussian(0.1)
    assert create_noise("mine/gaussian", 0.1) == SaltAndPepper(0.1)
    with pytest.raises(UnknownNameError, match="'dust'"):
        create_noise("dusk", 0.1)


def test_listing_loads_no_torch():
    code = (
        "import sys; from robust_restoration.degradations.names import list_noises; list_noises(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
