"""Fewer bits a value."""

from __future__ import annotations

import torch
from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images import check_layout


class BitDepth(Purifier):
    """Rounds to 2^bits evenly spaced values, 0 and 1 among them (Xu et al., arXiv:1704.01155).

    Args:
        bits: 1 to 8.

    Raises:
        InputError: If bits is outside 1 to 8.
    """

    differentiable = False

    def __init__(self, *, bits: int = 5) -> None:
        super().__init__()
        if not 1 <= bits <= 8:
            raise InputError(f"bits is {bits}; wanted 1 to 8.")
        self.steps = 2**bits - 1
        self.options = {"bits": bits}

    def forward(self, images: Tensor) -> Tensor:
        """Round ``images``, (N, C, H, W) in [0, 1]."""
        check_layout(images, "images")
        with torch.no_grad():
            rounded = (images.float().clamp(0, 1) * self.steps).round() / self.steps
        return rounded.to(images.dtype)
