"""Total variation, anisotropic diffusion and plug and play: what each must be equal to."""

from __future__ import annotations

import math

import pytest
import torch
from robust_restoration_denoisers.plug_and_play import PlugAndPlay
from robust_restoration_testing import check_denoiser

import robust_restoration as rr
from robust_restoration import Denoiser
from robust_restoration.errors import InputError

SIGMA = 0.1


@pytest.mark.parametrize("name", ["total_variation", "perona_malik"])
def test_conforms(name):
    check_denoiser(rr.create_denoiser(name).eval())


@pytest.mark.parametrize("name", ["total_variation", "perona_malik"])
def test_removes_as_much_as_there_is_noise_and_keeps_the_mean(name):
    clean, noisy = step_edge()
    restored = rr.create_denoiser(name)(noisy, SIGMA)
    removed = (restored - noisy).square().mean(dim=(1, 2, 3)).sqrt()
    assert removed.tolist() == pytest.approx([SIGMA] * 2, rel=0.05)
    assert restored.mean(dim=(1, 2, 3)).tolist() == pytest.approx(
        noisy.mean(dim=(1, 2, 3)).tolist(), abs=1e-3
    )
    error = (restored - clean).square().mean().sqrt()
    assert error < 0.5 * SIGMA
    assert torch.equal(rr.create_denoiser(name)(noisy, 0.0), noisy)


@pytest.mark.parametrize("name", ["total_variation", "perona_malik"])
def test_keeps_an_edge_that_a_blur_would_smear(name):
    _, noisy = step_edge()
    restored = rr.create_denoiser(name)(noisy, SIGMA)
    jump = restored[..., 16].mean() - restored[..., 15].mean()
    assert jump > 0.35  # of 0.5


def test_total_variation_of_little_else_than_noise_is_its_mean():
    noisy = 0.5 + 0.01 * torch.randn(1, 2, 8, 8)
    restored = rr.create_denoiser("total_variation")(noisy, SIGMA)
    assert torch.allclose(restored, noisy.mean(dim=(2, 3), keepdim=True).expand_as(noisy))


class Linear(Denoiser):
    """Shrinks by 1 / (1 + s^2), and notes the levels it is told."""

    blind = False

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, observed, sigma=None):
        self.told.append(torch.as_tensor(sigma))
        return observed / (1 + sigma.square())[:, None, None, None]


def test_one_step_of_plug_and_play_is_the_denoiser():
    denoiser = rr.create_denoiser("ffdnet_test").eval()
    again = rr.create_denoiser("dpir:ffdnet_test").eval()
    again.denoiser.load_state_dict(denoiser.state_dict())
    noisy, levels = torch.rand(2, 1, 8, 8), torch.tensor([0.05, 0.4])
    with torch.no_grad():
        assert torch.equal(again(noisy, levels), denoiser(noisy, levels))
    check_denoiser(rr.create_denoiser("dpir:ffdnet_test", steps=3).eval())


def test_plug_and_play_follows_the_papers_iteration():
    prior = Linear()
    noisy, sigma = torch.rand(1, 1, 4, 4, dtype=torch.float64), 0.1
    found = PlugAndPlay(prior, steps=3)(noisy, sigma)
    start = 49 / 255
    levels = [start, math.sqrt(start * sigma), sigma]  # evenly in the logarithm
    assert [float(s) for s in prior.told] == pytest.approx(levels)
    expected = noisy
    for number, level in enumerate(levels):
        weight = 0.23 * sigma**2 / level**2
        mixed = (noisy + weight * expected) / (1 + weight) if number else noisy
        expected = mixed / (1 + level**2)
    assert torch.allclose(found, expected)


def test_plug_and_play_wants_a_denoiser_that_is_told_the_level():
    with pytest.raises(InputError, match="cannot be told a noise level"):
        rr.create_denoiser("dpir:dncnn_test")


def step_edge():
    """Two images, dark left and bright right, and the same with noise."""
    clean = torch.full((2, 1, 32, 32), 0.25)
    clean[..., 16:] = 0.75
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean, clean + SIGMA * noise
