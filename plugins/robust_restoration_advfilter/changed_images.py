"""Training images changed by an amount of their own: what the makers of other grain share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from robust_restoration.data import LabelledImages

BATCH = 64


def changed_images(
    data: LabelledImages, amounts: Tensor, change: Callable[[Tensor], Tensor]
) -> LabelledImages:
    """Each image plus its amount of a change.

    Args:
        data: The images.
        amounts: (N,), one an image.
        change: From images (n, C, H, W) of 0 to 255 in float64, in order, to what is added.

    Returns:
        As many images, 8-bit again, with their labels.
    """
    made = torch.empty_like(data.images)
    for start in range(0, len(data), BATCH):
        rows = slice(start, start + BATCH)
        # In float64 sums do not depend on the number of threads, nor what is cached for the images.
        images = data.images[rows].double()
        found = images + amounts[rows].view(-1, 1, 1, 1) * change(images)
        made[rows] = found.clamp(0, 255).round().byte()
    return LabelledImages(made, data.labels, data.damaged, data.name)
