"""Noise models by name and from one word."""

from __future__ import annotations

import subprocess
import sys

import pytest
from robust_restoration_noises.impulse import Impulse
from robust_restoration_noises.mixed_levels import MixedLevels
from robust_restoration_noises.poisson import Poisson
from robust_restoration_noises.replacement_gaussian import ReplacementGaussian
from robust_restoration_noises.salt_and_pepper import SaltAndPepper

from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.degradations.names import create_noise, list_noises, parse_noise
from robust_restoration.degradations.noise import Noise
from robust_restoration.errors import InputError, UnknownNameError
from robust_restoration.plugins.hooks import Entry
from robust_restoration.plugins.registry import Plugin, Registry, registry
from robust_restoration.plugins.targets import load_target


def test_every_model_has_one_name() -> None:
    offers = registry().offers["noises"]
    models = [load_target(offer.entry) for offer in offers if offer.plugin == "noises"]
    assert len(set(models)) == len(models) == 7
    assert all(issubclass(model, Noise) for model in models)
    assert {offer.entry.name for offer in offers} <= set(list_noises())
    assert list_noises("g*") == ["gaussian"]


def test_a_level_means_the_same_everywhere() -> None:
    for text in ("gaussian:25", "gaussian:25/255", "gaussian sigma=25", "gaussian:sigma=25"):
        assert parse_noise(text) == create_noise(text) == Gaussian(25 / 255)
    assert parse_noise("poisson:30") == create_noise("poisson", 30) == Poisson(30)
    with pytest.raises(InputError, match="25/255"):
        create_noise("gaussian", 25)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gaussian:25/255", Gaussian(25 / 255)),
        ("gaussian:0..55/255", Gaussian((0, 55 / 255))),
        ("gaussian:0..55", Gaussian((0, 55 / 255))),
        ("poisson:500,75,released,clip=released", Poisson(500, 75, "released", clip="released")),
        ("replacement_gaussian:0.5,128", ReplacementGaussian(0.5, 128 / 255)),
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
        ("", InputError, "no name"),
        ("gaussian", InputError, "sigma"),
        ("gaussian:", InputError, "sigma"),
        ("gaussian:300", InputError, "25/255"),
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


def test_a_plugin_may_bring_more(monkeypatch) -> None:
    target = "robust_restoration_noises.salt_and_pepper:SaltAndPepper"
    gaussian = Entry("gaussian", "robust_restoration.degradations.gaussian:Gaussian")
    plugins = [
        Plugin("noises", "noises", "ours", "1", entries={"noises": [gaussian]}),
        Plugin(
            "mine",
            "mine",
            "mine",
            "1",
            entries={"noises": [Entry("dust", target), Entry("gaussian", target)]},
        ),
    ]
    found = Registry(plugins)
    monkeypatch.setattr("robust_restoration.degradations.names.registry", lambda: found)
    assert list_noises() == ["dust", "mine/gaussian", "noises/gaussian"]
    assert parse_noise("dust:0.1") == SaltAndPepper(0.1)
    assert create_noise("noises/gaussian", 0.1) == Gaussian(0.1)
    assert parse_noise("mine/gaussian:0.1") == SaltAndPepper(0.1)
    with pytest.raises(UnknownNameError, match="'mine/gaussian'"):
        create_noise("gaussian", 0.1)
    with pytest.raises(UnknownNameError, match="'dust'"):
        create_noise("dusk", 0.1)


def test_listing_loads_no_torch():
    code = (
        "import sys; from robust_restoration.degradations.names import list_noises; list_noises(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
