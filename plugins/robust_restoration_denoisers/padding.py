"""Larger images for networks that halve the size: mirrored at the right and below."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def padded(images: Tensor, right: int, below: int) -> Tensor:
    """(N, C, H, W) -> (N, C, H + below, W + right).

    Mirrored as far as there is something to mirror; from there on the last row or column again.
    """
    height, width = images.shape[-2:]
    mirrored = (0, min(right, width - 1), 0, min(below, height - 1))
    images = F.pad(images, mirrored, mode="reflect")
    return F.pad(images, (0, right - mirrored[1], 0, below - mirrored[3]), mode="replicate")


def padded_to_multiple(images: Tensor, step: int) -> Tensor:
    """The same, up to sides that are multiples of ``step``."""
    height, width = images.shape[-2:]
    return padded(images, -width % step, -height % step)
