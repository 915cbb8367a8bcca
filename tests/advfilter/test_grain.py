"""The finest grain: what it sees of an attack, and of a photograph."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_advfilter.grain import fine_grain
from torch import Tensor


@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_range(channels: int) -> None:
    found = fine_grain(torch.rand(2, channels, 7, 9))
    assert found.shape == (2, channels, 7, 9)
    assert float(found.abs().max()) < 1


@pytest.mark.parametrize("size", [(1, 1), (2, 5)])
def test_smallest_images(size: tuple[int, int]) -> None:
    assert fine_grain(torch.rand(1, 3, *size)).isfinite().all()


def test_planes_have_none_within() -> None:
    """A second difference in both directions sees nothing that is linear in one of them."""
    ramp = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    assert float(fine_grain(ramp)[..., 1:-1, 1:-1].abs().max()) < 1e-3


def test_gray_images_have_no_colour_grain() -> None:
    gray = torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert float(fine_grain(gray)[:, 1:].abs().max()) < 1e-3


def test_one_of_255_shows_also_under_autocast(photographs: Tensor) -> None:
    clean = (photographs * 255).round() / 255
    noise = torch.randint(-1, 2, clean.shape) / 255
    with torch.autocast("cpu", torch.bfloat16):
        before, after = (fine_grain(i)[:, 1:].abs().mean() for i in (clean, clean + noise))
    assert before.dtype == torch.float32
    assert float(after) > 1.2 * float(before)
