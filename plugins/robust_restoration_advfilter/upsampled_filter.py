"""Filtering by kernels that are predicted at half the image's size.

The paper upsamples features and then applies the 1x1 output layer that makes many maps of them.
The two commute, bilinear weights adding up to one, so the layer runs at half the size here: the
same function at a quarter of the cost. Where gradients are wanted the maps are upsampled whole and
kept for the backward pass. Where they are not, which is what purifying is, the maps of one row of
kernel offsets after the other are predicted, upsampled, used and forgotten, so that everything
stays in the processor's cache.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .pixel_filter import pixel_filter


class PixelMaps(NamedTuple):
    """Maps for every pixel that are not computed yet.

    Attributes:
        features: (N, F, h, w), at half the images' size.
        layer: The 1x1 convolution that makes the maps of them.
    """

    features: Tensor
    layer: nn.Conv2d

    def small(self) -> Tensor:
        """(N, maps, h, w), contiguous, as filtering by them wants it."""
        assert self.layer.bias is not None
        weight = self.layer.weight.flatten(1).expand(len(self.features), -1, -1)
        bias = self.layer.bias.view(1, -1, 1)
        return torch.baddbmm(bias, weight, self.features.flatten(2)).unflatten(
            2, self.features.shape[2:]
        )

    def upsampled(self, height: int, width: int) -> Tensor:
        """(N, maps, height, width): at twice their size, bilinear, cropped."""
        return _doubled(self.small())[..., :height, :width]


def upsampled_filter(images: Tensor, maps: PixelMaps) -> tuple[Tensor, Tensor]:
    """Filter every pixel by its kernel, from kernels at half the size.

    Args:
        images: (N, C, H, W), any range.
        maps: K*K*C of them in the channel order of `pixel_filter`, where 2h >= H and 2w >= W.

    Returns:
        The filtered images (N, C, H, W), in the dtype of ``images``, and the maximum over each
        pixel's kernels, (N, H, W): AdvFilter's uncertainty map (eq. 9).
    """
    wanted = (images, maps.features, *maps.layer.parameters())
    if torch.is_grad_enabled() and any(t.requires_grad for t in wanted):
        kernels = maps.upsampled(*images.shape[-2:])
        return pixel_filter(images, kernels), kernels.amax(dim=1)
    with torch.autocast(images.device.type, enabled=False):
        return _row_by_row(images, maps)


def _row_by_row(images: Tensor, maps: PixelMaps) -> tuple[Tensor, Tensor]:
    """The same, one row of kernel offsets after the other.

    Even and odd columns are kept apart until the end: upsampled maps have other weights there, and
    processors read and write neighbours faster than every second number.
    """
    count, channels, height, width = images.shape
    size = round((maps.layer.out_channels / channels) ** 0.5)
    half, (h, w) = size // 2, maps.features.shape[-2:]
    wide = torch.float64 if images.dtype == torch.float64 else torch.float32
    assert maps.layer.bias is not None
    weight = maps.layer.weight.to(wide).view(size, size * channels, -1)
    bias = maps.layer.bias.to(wide).view(size, size * channels, 1)
    border = (half, half + 2 * w - width, half, half + 2 * h - height)
    found = images.new_empty(count, channels, height, width)
    highest = images.new_empty(count, height, width, dtype=wide)
    # One image at a time on a CPU, for its cache; all at once elsewhere, for fewer launches.
    step = 1 if images.device.type == "cpu" else max(count, 1)
    out = highest.new_empty(step, 2, channels, 2 * h, w)
    most = highest.new_empty(step, 2, 2 * h, w)
    room = highest.new_empty(step, size * channels, (h + 2) * (w + 2))
    tall = highest.new_empty(step, size, channels, 2 * h, w + 2)
    kernels = highest.new_empty(step, size, channels, 2 * h, w)
    for n in range(0, count, step):
        rows = slice(n, n + step)
        padded = F.pad(images[rows].to(wide), border)
        apart = F.pad(padded, (0, padded.shape[-1] % 2)).unflatten(-1, (-1, 2)).movedim(-1, 1)
        apart = apart.contiguous()  # (step, 2, C, 2h + K - 1, w + K // 2)
        # One border pixel more on each side is what bilinear upsampling looks at.
        features = F.pad(maps.features[rows].to(wide), (1, 1, 1, 1), mode="replicate").flatten(2)
        out.zero_()
        most.fill_(-torch.inf)
        for row in range(size):
            small = torch.baddbmm(bias[row], weight[row].expand(step, -1, -1), features, out=room)
            small = small.view(step, size, channels, h + 2, w + 2)
            # An upsampled pixel lies a quarter off a source: 3/4 of that and 1/4 of the next.
            middle = small[..., 1:-1, :]
            torch.lerp(middle, small[..., :-2, :], 0.25, out=tall[..., 0::2, :])
            torch.lerp(middle, small[..., 2:, :], 0.25, out=tall[..., 1::2, :])
            for odd in (0, 1):
                beside = tall[..., 2 * odd : 2 * odd + w]
                torch.lerp(tall[..., 1:-1], beside, 0.25, out=kernels)
                for column in range(size):
                    first, parity = divmod(odd + column, 2)
                    under = apart[:, parity, :, row : row + 2 * h, first : first + w]
                    out[:, odd].addcmul_(kernels[:, column], under)
                largest = kernels.flatten(1, 2).amax(dim=1)
                torch.maximum(most[:, odd], largest, out=most[:, odd])
        found[rows] = out.movedim(1, -1).flatten(-2)[..., :height, :width]
        highest[rows] = most.movedim(1, -1).flatten(-2)[..., :height, :width]
    return found, highest


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
