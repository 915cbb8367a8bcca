"""Denoisers that are trained on the one image: what they compute, and that they disturb nothing.

With the authors' code their networks and their hiding of pixels agree to the last bit; their
runs at full length take minutes an image, and are not made here.
"""

from __future__ import annotations

import pytest
import torch
from robust_restoration_denoisers.deep_image_prior import skip_network
from robust_restoration_denoisers.noise2self import hide
from robust_restoration_testing import check_denoiser

import robust_restoration as rr

QUICK = {
    "deep_image_prior": {"steps": 2, "features": 4, "scales": 2},
    "noise2self": {"steps": 2, "features": 4, "depth": 3},
}


def quick(name, **options):
    return rr.create_denoiser(name, **{**QUICK[name], **options}).eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_conforms(name):
    check_denoiser(quick(name), sizes=[(5, 7), (8, 8)])


@pytest.mark.parametrize("name", QUICK)
def test_depends_on_the_image_and_the_seed_alone(name):
    noisy = torch.rand(2, 1, 12, 10)
    torch.manual_seed(1)
    with torch.inference_mode():
        both = quick(name)(noisy)
    state = torch.random.get_rng_state()
    alone = quick(name)(noisy[1:])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(both[1:], alone)
    assert not torch.equal(quick(name, seed=1)(noisy[1:]), alone)
    assert not alone.requires_grad


def test_noise2self_removes_noise():
    clean = torch.linspace(0.2, 0.8, 32).expand(1, 1, 32, 32)
    noisy = clean + 0.15 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    restored = quick("noise2self", steps=200, features=8)(noisy)
    assert (restored - clean).square().mean() < 0.6 * (noisy - clean).square().mean()


@pytest.mark.slow
def test_deep_image_prior_takes_up_the_image():
    clean = torch.linspace(0.2, 0.8, 16).expand(1, 1, 16, 16)
    early, late = (quick("deep_image_prior", steps=n)(clean) for n in (1, 120))
    assert (late - clean).square().mean() < 0.5 * (early - clean).square().mean()


def test_a_hidden_pixel_does_not_show_in_what_the_network_sees():
    image = torch.rand(1, 2, 8, 12)
    seen = torch.zeros(8, 12)
    for place in range(16):
        masked, mask = hide(image, place)
        other, _ = hide(image + mask, place)
        assert torch.equal(masked * mask, other * mask)
        assert torch.equal(masked * (1 - mask), image * (1 - mask))
        seen += mask
    assert (seen == 1).all()


def test_the_priors_network_is_as_large_as_the_released_one():
    assert sum(p.numel() for p in skip_network(3).parameters()) == 2_217_831


@pytest.mark.parametrize("name", QUICK)
def test_is_attacked_straight_through(name):
    noisy = torch.rand(1, 1, 8, 8)
    attacked = rr.create_attack("obsatk", quick(name), sigma=0.1, steps=1)(noisy, noisy)
    assert attacked.shape == noisy.shape
