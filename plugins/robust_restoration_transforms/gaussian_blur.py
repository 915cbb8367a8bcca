"""Gaussian blur."""

from __future__ import annotations

from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images import check_layout


class GaussianBlur(Purifier):
    """Convolution with a Gaussian, cut off at three sigma; the image is reflected at its border.

    Args:
        sigma: Standard deviation in pixels, above 0.

    Raises:
        InputError: If sigma is not above 0, or an image is smaller than the window.
    """

    def __init__(self, *, sigma: float = 0.8) -> None:
        super().__init__()
        if sigma <= 0:
            raise InputError(f"sigma is {sigma}; wanted a number of pixels above 0.")
        self.sigma = float(sigma)
        self.radius = max(1, round(3 * self.sigma))
        self.options = {"sigma": self.sigma}

    def forward(self, images: Tensor) -> Tensor:
        """Blur ``images``, (N, C, H, W) in [0, 1]."""
        from kornia.filters import gaussian_blur2d

        check_layout(images, "images")
        if min(images.shape[-2:]) <= self.radius:
            raise InputError(
                f"images are {images.shape[-2]}x{images.shape[-1]}; a blur of sigma {self.sigma} "
                f"wants more than {self.radius} pixels a side."
            )
        size = 2 * self.radius + 1
        blurred = gaussian_blur2d(images, (size, size), (self.sigma, self.sigma))
        return blurred.clamp(0, 1).to(images.dtype)
