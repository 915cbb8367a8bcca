"""Mosaics of training images made smaller."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.mosaics import make_mosaics
from torch import Tensor, nn

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError


class ByRed(nn.Module):
    """Logits that tell whether an image is rather red."""

    def forward(self, images: Tensor) -> Tensor:
        red = images[:, 0].mean(dim=(1, 2))
        return torch.stack([0.5 - red, red - 0.5], dim=1)


by_red = ByRed()


@pytest.fixture
def data() -> LabelledImages:
    """Images with colour at half the resolution, as JPEG stores it."""
    colours = F.interpolate(torch.rand(20, 3, 24, 24), size=48, mode="bicubic")
    images = (0.3 + 0.4 * colours).clamp(0, 1)
    return LabelledImages((255 * images).byte(), torch.arange(20), name="made up")


def fine_colour(images: Tensor) -> float:
    colour = images.float() - images.float().mean(dim=1, keepdim=True)
    second = colour[..., 2:] - 2 * colour[..., 1:-1] + colour[..., :-2]
    return float(second.abs().median())


def test_shapes_and_labels(data: LabelledImages) -> None:
    made = make_mosaics(data, 7, classifier=by_red, seed=0)
    assert made.images.shape == (7, 3, 48, 48)
    assert made.images.dtype == torch.uint8
    assert torch.equal(made.labels, by_red(made.pixels(slice(None))).argmax(1))
    assert made.name == data.name


def test_colour_is_finer(data: LabelledImages) -> None:
    made = make_mosaics(data, 20, classifier=by_red, seed=0)
    assert fine_colour(made.images) > 1.5 * fine_colour(data.images)


def test_tiles_are_the_images(data: LabelledImages) -> None:
    """Of plain images nothing changes when they are made smaller: each tile is one of them."""
    plain = data.images.double().mean(dim=(2, 3), keepdim=True).round().byte()
    given = LabelledImages(plain.expand_as(data.images), data.labels)
    known = {tuple(p.tolist()) for p in plain.flatten(1)}
    for image in make_mosaics(given, 10, classifier=by_red, seed=0).images:
        colours = image.flatten(1).t().unique(dim=0).tolist()
        assert {tuple(c) for c in colours} <= known
        for side in (2, 3):
            cell = 48 // side
            tiles = image.unfold(1, cell, cell).unfold(2, cell, cell).flatten(3)
            if bool((tiles == tiles[..., :1]).all()):
                break
        else:
            pytest.fail("no grid of tiles")


@pytest.mark.parametrize("size", [(7, 10), (1, 1)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    given = LabelledImages(torch.randint(256, (3, 3, *size)).byte(), torch.arange(3))
    assert make_mosaics(given, 4, classifier=by_red, seed=0).images.shape == (4, 3, *size)


def test_they_depend_on_the_seed(data: LabelledImages) -> None:
    one, again, other = (make_mosaics(data, 3, classifier=by_red, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)


def test_a_wrong_count_is_refused(data: LabelledImages) -> None:
    with pytest.raises(InputError, match="mosaics is -1; expected how many"):
        make_mosaics(data, -1, classifier=by_red, seed=0)
