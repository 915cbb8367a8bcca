"""Gaussian blur."""

from __future__ import annotations

from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_positive

from .precision import full_precision


class GaussianBlur(Purifier):
    """Convolution with a Gaussian, a channel at a time.

    The Gaussian is cut off at three sigma, rounded to whole pixels and at least one. At its border
    the image is reflected about the outermost pixels, which are not repeated.

    Args:
        sigma: Standard deviation in pixels, above 0.

    Raises:
        InputError: If sigma is not above 0, or an image is not larger than three sigma.
    """

    def __init__(self, *, sigma: float = 0.8) -> None:
        super().__init__()
        self.sigma = check_positive("sigma", sigma, "pixels")
        self.radius = max(1, round(3 * self.sigma))
        self.options = {"sigma": self.sigma}

    def forward(self, images: Tensor) -> Tensor:
        """Blur ``images``, (N, C, H, W) in [0, 1]."""
        from kornia.filters import gaussian_blur2d

        check_layout(images, "images")
        if min(images.shape[-2:]) <= self.radius:
            raise InputError(
                f"images are {images.shape[-2]}x{images.shape[-1]}; a blur of sigma {self.sigma} "
                f"needs more than {self.radius} pixels a side."
            )
        size = 2 * self.radius + 1
        with full_precision(images) as values:
            blurred = gaussian_blur2d(values, (size, size), (self.sigma, self.sigma), "reflect")
        return blurred.clamp(0, 1).to(images.dtype)
