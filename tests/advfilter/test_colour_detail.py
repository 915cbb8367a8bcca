"""Training images with finer colours."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.colour_detail import LUMA, with_colour_detail

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError

SIZE = 32


@pytest.fixture
def data() -> LabelledImages:
    """Photographs as JPEG leaves them: colour at half the resolution, brightness in full."""
    colours = F.interpolate(torch.rand(70, 3, 3, 3), size=SIZE, mode="bicubic")
    fine = 0.1 * torch.rand(70, 1, SIZE, SIZE)
    images = ((0.2 + 0.4 * colours + fine).clamp(0, 1) * 255).byte()
    return LabelledImages(images, torch.arange(70), name="made up")


def brightness(images: torch.Tensor) -> torch.Tensor:
    return (images * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1)


def fine_colour(data: LabelledImages) -> float:
    images = data.pixels(slice(None))
    colour = images - images.mean(dim=1, keepdim=True)
    return float((colour - F.avg_pool2d(colour, 3, 1, 1))[..., 2:-2, 2:-2].abs().mean())


def test_no_amount_leaves_images_alone(data: LabelledImages) -> None:
    made = with_colour_detail(data, 0, 0, seed=0)
    assert torch.equal(made.images, data.images)
    assert torch.equal(made.labels, data.labels)
    assert made.name == data.name


def test_colours_become_finer_and_brightness_stays(data: LabelledImages) -> None:
    made = with_colour_detail(data, 2, 2, seed=0)
    assert fine_colour(made) > 1.5 * fine_colour(data)
    change = brightness(made.pixels(slice(None))) - brightness(data.pixels(slice(None)))
    assert change.abs().mean() < 0.01


def test_colours_of_a_pixel_keep_their_ratios(data: LabelledImages) -> None:
    """Amount 1 is the half-resolution colour, brighter or darker: its channels' ratios are kept."""
    images = data.pixels(slice(None))
    coarse = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    made = with_colour_detail(data, 1, 1, seed=0).pixels(slice(None))
    torch.testing.assert_close(
        made[:, 0] * coarse[:, 1], made[:, 1] * coarse[:, 0], atol=1 / 255, rtol=0
    )


@pytest.mark.parametrize("size", [(7, 9), (1, 1)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    data = LabelledImages(torch.randint(256, (2, 3, *size)).byte(), torch.arange(2))
    assert with_colour_detail(data, 1, 2, seed=0).images.shape == data.images.shape


def test_gray_images_stay(data: LabelledImages) -> None:
    gray = LabelledImages(data.images[:, :1], data.labels)
    assert with_colour_detail(gray, 1, 2, seed=0) is gray


def test_amounts_depend_on_the_seed_and_differ(data: LabelledImages) -> None:
    one, again, other = (with_colour_detail(data, 0, 2, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)


@pytest.mark.parametrize("amounts", [(-1, 0), (1, 0)])
def test_amounts_out_of_order_are_refused(
    data: LabelledImages, amounts: tuple[float, float]
) -> None:
    with pytest.raises(InputError, match="expected a lowest amount of at least 0"):
        with_colour_detail(data, *amounts, seed=0)
