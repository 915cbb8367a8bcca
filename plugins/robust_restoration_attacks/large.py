"""Batches of large images: worked on by strips, and copied only where they must be."""

from __future__ import annotations

import torch
from torch import Tensor

PIECE = 2**18  # values of an image that are worked on at once


def strips(images: Tensor) -> tuple[Tensor, ...]:
    """Views (N, C, h, W) of images (N, C, H, W), one below the other, of some `PIECE` values."""
    return images.split(max(1, PIECE // max(1, images[:, :, 0].numel())), 2)


def choose(rows: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """``new`` in the rows that say so, (N,), ``old`` in the others; a copy only of both."""
    if bool(rows.all()):
        return new
    return torch.where(wide(rows), new, old) if bool(rows.any()) else old


def wide(values: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
