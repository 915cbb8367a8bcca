"""Mosaics of training images made smaller: photographs with colour at full resolution.

JPEG stores colour at half the resolution, and its blocks leave traces of their own. A network that
looks at the finest grain takes what it learns there for how photographs are, and fine colour for an
attack. Made to half or a third of its size, an image has colour as fine as its brightness, and no
blocks; some of them side by side make an image of the size that the classifier takes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError

TILES = (2, 3)  # a side
RESIZERS = ("bilinear", "bicubic", "area")  # they differ in what they leave of the grain
BATCH = 50


def make_mosaics(
    data: LabelledImages, count: int, *, classifier: nn.Module, seed: int
) -> LabelledImages:
    """Mosaics of images made smaller.

    Args:
        data: The images.
        count: How many mosaics. Each is of 2 x 2 or 3 x 3 images drawn at random, all made smaller
            in one of three ways.
        classifier: Takes images in [0, 1] to logits; a mosaic's label is what it says of it.
        seed: Of the draws.

    Returns:
        ``count`` images of the size of the given ones.

    Raises:
        InputError: If ``count`` is not above 0.
    """
    if count < 1:
        raise InputError(f"mosaics is {count}; expected how many, such as 300, or 0 for none.")
    generator = torch.Generator().manual_seed(seed)
    made = torch.stack([_mosaic(data.images, generator) for _ in range(count)])
    device = next(classifier.parameters(), torch.empty(0)).device
    with torch.no_grad():
        labels = torch.cat(
            [classifier(part.to(device) / 255).argmax(dim=1) for part in made.split(BATCH)]
        )
    return LabelledImages(made, labels.to(data.labels), name=data.name)


def _mosaic(images: Tensor, generator: torch.Generator) -> Tensor:
    """One of them, (C, H, W) uint8."""

    def draw(below: int) -> int:
        return int(torch.randint(below, (), generator=generator))

    side, resizer = TILES[draw(len(TILES))], RESIZERS[draw(len(RESIZERS))]
    height, width = images.shape[-2:]
    chosen = torch.randint(len(images), (side * side,), generator=generator)
    small = F.interpolate(
        images[chosen].double(),  # so that sums do not depend on the number of threads
        size=(-(-height // side), -(-width // side)),
        mode=resizer,
        antialias=resizer != "area",
    )
    rows = [torch.cat(list(row), dim=-1) for row in small.split(side)]
    whole = torch.cat(rows, dim=-2)[..., :height, :width]
    return whole.clamp(0, 255).round().byte()
