"""Median filter."""

from __future__ import annotations

from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images import check_layout


class Median(Purifier):
    """The median of each pixel's square neighbourhood, a channel at a time.

    Feature squeezing (Xu et al., arXiv:1704.01155). Zeros outside the image, as kornia pads.

    Args:
        kernel_size: Side of the neighbourhood, odd.

    Raises:
        InputError: If the side is not odd and positive.
    """

    def __init__(self, *, kernel_size: int = 3) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise InputError(f"kernel_size is {kernel_size}; wanted an odd number such as 3.")
        self.kernel_size = kernel_size
        self.options = {"kernel_size": kernel_size}

    def forward(self, images: Tensor) -> Tensor:
        """Filter ``images``, (N, C, H, W) in [0, 1]."""
        from kornia.filters import median_blur

        check_layout(images, "images")
        return median_blur(images, self.kernel_size)
