"""Batches of large images: worked on by strips, and copied only where they must be."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import torch
from torch import Tensor

PIECE = 2**18  # values of an image that are worked on at once
LARGE = 2**26  # bytes of images from which on memory counts


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


def give_back(images: Tensor) -> None:
    """Where images are large, give the system what pieces and tiles left free.

    The C library keeps much of it, as it lies between what is still used: here as much as an image.
    """
    if images.nbytes >= LARGE:
        with suppress(OSError, AttributeError, TypeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)
