"""What all built-in denoisers have in common."""

from __future__ import annotations

import json

import pytest
import torch
from robust_restoration_denoisers import denoisers
from robust_restoration_denoisers.sigma import sigma_per_image
from robust_restoration_testing import check_denoiser

from robust_restoration.errors import InputError, PluginError
from robust_restoration.plugins.targets import importable, load_target

ENTRIES = {entry.name: entry for entry in denoisers()}
# Without weights, for any number of channels.
WEIGHTLESS = ("perona_malik", "total_variation", "deep_image_prior", "noise2self")
NETWORKS = sorted(
    name
    for name, entry in ENTRIES.items()
    if not entry.requires and not name.endswith(":") and name not in WEIGHTLESS
)
QUICK = ("dncnn", "dncnn_b", "ffdnet")  # the others are tried along with what takes long
SMALL = {
    "dncnn": {"depth": 5, "features": 8},
    "dncnn_b": {"depth": 4, "features": 8},
    "dncnn_c": {"depth": 4, "features": 8},
    "ffdnet": {"depth": 4, "features": 12},
    "n2n_unet": {"features": 8},
    "ecndnet": {"features": 8},
    "adnet": {"features": 8},
    "rddcnn": {"features": 8},
    "rddcnn_b": {"features": 8},
    "deamnet": {"features": 16},
    "ridnet": {"features": 16},
    "brdnet": {"features": 8},
    "fan": {"features": 16},
    "curvpnp": {"features": 2},
    "ctnet": {"features": 4},
    "dgunet": {"features": 8},
}


def networks(names=NETWORKS, *marks):
    marks = (pytest.mark.slow, *marks)
    return [pytest.param(name, marks=() if name in QUICK else marks) for name in names]


def create(name, **options):
    torch.manual_seed(0)
    return load_target(ENTRIES[name])(**{**SMALL.get(name, {}), **options}).eval()


@pytest.mark.parametrize("name", networks())
def test_keeps_the_contract(name):
    check_denoiser(create(name))


# fan is for colour alone
@pytest.mark.parametrize(
    "name", networks([name for name in NETWORKS if name != "fan"], pytest.mark.exhaustive)
)
def test_keeps_the_contract_with_another_number_of_channels(name):
    usual = create(name).channels
    check_denoiser(create(name, channels=3 if usual == 1 else 1))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (31, 33), (32, 64)])
def test_takes_any_image_size(name, size):
    model = create(name)
    noisy = torch.rand(2, model.channels, *size)
    with torch.no_grad():
        restored = model(noisy, 0.1)
    assert restored.shape == noisy.shape
    assert restored.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_options_build_the_same_network_again(name):
    model = create(name, channels=3)
    again = load_target(ENTRIES[name])(**json.loads(json.dumps(model.options)))
    again.load_state_dict(model.state_dict(), strict=True)
    noisy = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(again.eval()(noisy, 0.1), model(noisy, 0.1))
    assert again.options == model.options
    assert again.sigma_range == model.sigma_range


@pytest.mark.parametrize("name", networks())
def test_trains(name):
    model = create(name).train()
    model(torch.rand(4, model.channels, 32, 32), 0.1).square().mean().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "options",
    [
        {"channels": 0},
        {"channels": 1.5},
        {"features": 0},
        {"sigma_range": (0.5, 0.1)},
        {"sigma_range": (0, 25)},
        {"sigma_range": 0.1},
    ],
)
def test_refuses_options_out_of_range(name, options):
    with pytest.raises(InputError, match=next(iter(options))):
        create(name, **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_gray_for_a_colour_denoiser_is_told_how_to_mend_it(name):
    with pytest.raises(InputError, match="expand"):
        create(name, channels=3)(torch.rand(1, 1, 8, 8), 0.1)


@pytest.mark.parametrize("name", sorted(n for n, e in ENTRIES.items() if e.requires))
def test_what_is_not_installed_says_how_to_install_it(name):
    if importable(ENTRIES[name].requires):
        pytest.skip(f"{ENTRIES[name].requires} is installed")
    with pytest.raises(PluginError, match="pip install"):
        load_target(ENTRIES[name])


class TestSigmaPerImage:
    images = torch.zeros(3, 1, 2, 2)

    @pytest.mark.parametrize("sigma", [0.5, torch.tensor(0.5), torch.full((3,), 0.5)])
    def test_one_level_an_image(self, sigma):
        levels = sigma_per_image(sigma, self.images.half(), denoiser="D")
        assert levels.tolist() == [0.5] * 3
        assert levels.dtype == torch.float16

    @pytest.mark.parametrize(
        ("sigma", "match"),
        [
            (None, "told the noise level"),
            (25, "fractions"),
            (-0.1, "fractions"),
            (float("nan"), "fractions"),
            (torch.tensor([0.1, 0.1, 25.0]), "fractions"),
            (torch.full((2,), 0.1), "shape"),
            (torch.full((3, 1, 1, 1), 0.1), "shape"),
        ],
    )
    def test_refuses(self, sigma, match):
        with pytest.raises(InputError, match=match):
            sigma_per_image(sigma, self.images, denoiser="D")
