"""Fewer bits a value."""

from __future__ import annotations

import torch
from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count

from .precision import full_precision


class BitDepth(Purifier):
    """Rounds to 2^bits evenly spaced values, 0 and 1 among them (Xu et al., arXiv:1704.01155).

    Each value for itself, so that borders are as the rest.

    Args:
        bits: 1 to 8.

    Raises:
        InputError: If bits is not a whole number from 1 to 8.
    """

    differentiable = False

    def __init__(self, *, bits: int = 5) -> None:
        super().__init__()
        bits = check_count("bits", bits, 1, 8)
        self.steps = 2**bits - 1
        self.options = {"bits": bits}

    def forward(self, images: Tensor) -> Tensor:
        """Round ``images``, (N, C, H, W) in [0, 1]; the result carries no gradients."""
        check_layout(images, "images")
        with torch.no_grad(), full_precision(images) as values:
            rounded = (values.clamp(0, 1) * self.steps).round() / self.steps
        return rounded.to(images.dtype)
