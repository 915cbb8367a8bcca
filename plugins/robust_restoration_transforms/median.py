"""Median filter."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count

from .precision import full_precision


class Median(Purifier):
    """The median of each pixel's square neighbourhood, a channel at a time.

    Feature squeezing (Xu et al., arXiv:1704.01155). At its border the image is reflected about
    the outermost pixels, which are not repeated.

    Args:
        kernel_size: Side of the neighbourhood in pixels, odd.

    Raises:
        InputError: If the side is not odd and positive, or an image is not larger than half of it.
    """

    def __init__(self, *, kernel_size: int = 3) -> None:
        super().__init__()
        kernel_size = check_count("kernel_size", kernel_size, 1)
        if kernel_size % 2 == 0:
            raise InputError(f"kernel_size is {kernel_size}; expected an odd number such as 3.")
        self.kernel_size = kernel_size
        self.options = {"kernel_size": kernel_size}

    def forward(self, images: Tensor) -> Tensor:
        """Filter ``images``, (N, C, H, W) in [0, 1]."""
        from kornia.filters import median_blur

        check_layout(images, "images")
        height, width = images.shape[-2:]
        radius = self.kernel_size // 2
        if min(height, width) <= radius:
            raise InputError(
                f"images are {height}x{width}; a median of {self.kernel_size}x{self.kernel_size} "
                f"needs more than {radius} pixels a side."
            )
        with full_precision(images) as values:
            # Reflected here, since earlier kornias pad with zeros (kornia issue 4670).
            wide = pad(values, (radius,) * 4, mode="reflect")
            filtered = median_blur(wide, self.kernel_size)
            filtered = filtered[..., radius : radius + height, radius : radius + width]
        return filtered.clamp(0, 1).to(images.dtype).contiguous()
