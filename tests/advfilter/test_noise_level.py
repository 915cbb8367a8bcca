"""The map of the noise's level."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.noise_level import CELL, COLOUR, GRAIN, noise_level
from torch import Tensor


def shares(images: Tensor) -> Tensor:
    """r / (r + r0) by a convolution."""
    colour = images.shape[1] > 1
    line = torch.tensor([1.0, -2.0, 1.0], dtype=images.dtype)
    mask = (torch.outer(line, line) / 6).view(1, 1, 3, 3).expand(images.shape[1], 1, 3, 3)
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    grain = F.conv2d(padded, mask, groups=images.shape[1])
    if colour:
        grain = grain - grain.mean(dim=1, keepdim=True)
    grain = grain.abs()
    return (grain / (grain + (COLOUR if colour else GRAIN))).mean(dim=1, keepdim=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_within_one_cell_it_is_the_mean(channels: int) -> None:
    images = torch.rand(2, channels, CELL, CELL, dtype=torch.float64)
    expected = shares(images).mean(dim=(2, 3), keepdim=True).expand(2, 1, CELL, CELL)
    torch.testing.assert_close(noise_level(images), expected)


def test_it_is_local() -> None:
    images = torch.full((1, 3, 128, 128), 0.5)
    images[..., 64:] += 0.01 * torch.rand(1, 3, 128, 64)
    found = noise_level(images)
    assert found[..., :32].max() < 1e-3
    assert found[..., 90:].min() > 0.5


def test_it_grows_with_noise_and_not_with_gray_noise() -> None:
    clean, noise = torch.full((1, 3, 64, 64), 0.5), torch.randn(1, 3, 64, 64)
    levels = [float(noise_level(clean + s * noise).mean()) for s in (0, 1e-3, 3e-3, 1e-2)]
    assert levels == sorted(levels)
    assert levels[0] < 1e-3
    assert levels[-1] > 0.7
    assert float(noise_level(clean + 0.01 * noise[:, :1]).mean()) < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 17)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_size(size: tuple[int, int], channels: int) -> None:
    assert noise_level(torch.rand(2, channels, *size)).shape == (2, 1, *size)


def test_small_noise_is_seen_under_autocast() -> None:
    clean = torch.full((1, 3, 16, 16), 0.69921875)  # a number that bfloat16 has
    noisy = clean + 3e-4 * torch.randn(1, 3, 16, 16)
    assert torch.equal(noisy.bfloat16(), clean.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        found = noise_level(noisy)
    assert found.dtype == torch.float32
    assert found.min() > 0.05
