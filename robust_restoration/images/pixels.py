"""Pixels in memory: 8 bits where they suffice, floating-point on demand, gray and colour."""

from __future__ import annotations

import torch
from torch import Tensor

from robust_restoration.errors import InputError

BT601 = (0.299, 0.587, 0.114)  # of red, green, blue; as kornia's rgb_to_grayscale


def as_float(image: Tensor) -> Tensor:
    """float32 in [0, 1] of uint8 in [0, 255]; floating-point pixels as they are."""
    return image.float() / 255 if image.dtype == torch.uint8 else image


def compact(image: Tensor) -> Tensor:
    """uint8 where that loses nothing, else the pixels as they are."""
    eight = (image * 255).round().to(torch.uint8)
    return eight if torch.equal(as_float(eight), image) else image


def to_channels(image: Tensor, channels: int) -> Tensor:
    """Make an image gray or colour.

    Args:
        image: (C, H, W), uint8 or floating-point in [0, 1].
        channels: 1 weighs red, green and blue as BT.601 does (uint8 is rounded to uint8 again);
            3 repeats the gray channel.

    Raises:
        InputError: If the image has neither 1 nor 3 channels, or others than 1 or 3 are expected.
    """
    if channels not in (1, 3):
        raise InputError(f"channels is {channels}; expected 1 (gray) or 3 (colour).")
    if image.shape[0] == channels:
        return image
    if image.shape[0] not in (1, 3):
        raise InputError(
            f"An image has {image.shape[0]} channels; only 1 (gray) and 3 (colour) can be turned "
            "into each other."
        )
    if channels == 3:
        return image.expand(3, -1, -1).contiguous()
    gray = (as_float(image) * image.new_tensor(BT601, dtype=torch.float32).view(3, 1, 1)).sum(0)
    gray = gray.clamp(0, 1)[None]  # the weights' sum may round to above 1
    return (gray * 255).round().to(torch.uint8) if image.dtype == torch.uint8 else gray
