"""Filtering by kernels that are predicted at half the image's size.

Where gradients are wanted the maps are upsampled whole and kept for the backward pass. Where they
are not, which is what purifying is, one kernel offset after the other is upsampled, used and
forgotten, so that everything stays in the processor's cache.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .pixel_filter import pixel_filter, window


def upsampled(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps at twice their size, bilinear, cropped to (height, width)."""
    found = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    return found[..., :height, :width]


def upsampled_filter(images: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Filter every pixel by its kernel, from kernels at half the size.

    Args:
        images: (N, C, H, W), any range.
        maps: (N, K*K*C, h, w) in the channel order of `pixel_filter`, where 2h >= H and 2w >= W.

    Returns:
        The filtered images (N, C, H, W), in the dtype of ``images``, and the maximum over each
        pixel's kernels, (N, H, W): AdvFilter's uncertainty map (eq. 9).
    """
    height, width = images.shape[-2:]
    if torch.is_grad_enabled() and (maps.requires_grad or images.requires_grad):
        kernels = upsampled(maps, height, width)
        return pixel_filter(images, kernels), kernels.amax(dim=1)
    count, channels = images.shape[:2]
    size = round((maps.shape[1] / channels) ** 0.5)
    wide = torch.float64 if images.dtype == torch.float64 else torch.float32
    padded = F.pad(images.contiguous().to(wide), (size // 2,) * 4)
    out = torch.zeros(images.shape, dtype=wide, device=images.device)
    most = torch.full((count, height, width), -torch.inf, dtype=wide, device=images.device)
    # One image at a time on a CPU, for its cache; all at once elsewhere, for fewer launches.
    step = 1 if images.device.type == "cpu" else count
    for n in range(0, count, step):
        rows = slice(n, n + step)
        # One border pixel more on each side is what bilinear upsampling looks at.
        bordered = F.pad(maps[rows].to(wide).contiguous(), (1, 1, 1, 1), mode="replicate")
        by_offset = bordered.unflatten(1, (size * size, channels))
        for q in range(size * size):
            kernel = _doubled(by_offset[:, q])[..., :height, :width]
            out[rows].addcmul_(kernel, window(padded[rows], q, size))
            for channel in kernel.unbind(1):
                torch.maximum(most[rows], channel, out=most[rows])
    return out.to(images.dtype), most


def _doubled(bordered: Tensor) -> Tensor:
    """Bilinear upsampling by two of maps with one replicated pixel around them.

    Each result lies a quarter pixel off a source pixel: it is 3/4 of that and 1/4 of the next.
    """
    *lead, height, width = bordered.shape
    height, width = height - 2, width - 2
    tall = bordered.new_empty(*lead, 2 * height, width + 2)
    middle = bordered[..., 1:-1, :]
    torch.lerp(middle, bordered[..., :-2, :], 0.25, out=tall[..., 0::2, :])
    torch.lerp(middle, bordered[..., 2:, :], 0.25, out=tall[..., 1::2, :])
    full = bordered.new_empty(*lead, 2 * height, 2 * width)
    middle = tall[..., 1:-1]
    torch.lerp(middle, tall[..., :-2], 0.25, out=full[..., 0::2])
    torch.lerp(middle, tall[..., 2:], 0.25, out=full[..., 1::2])
    return full
