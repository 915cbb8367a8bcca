"""How strong the noise in an image is, read off its finest grain.

Attacks change each channel by itself. Photographs hardly do so from one pixel to the next: JPEG
stores colour at half the resolution, and lenses and sensors blur it. Of two of 1,000 ImageNet
photographs at 224 pixels, one attacked by PGD at eps 3e-3, the attacked one has the higher mean in
94 of 100 cases; at 5e-3 in all, at 1e-3 in 63 (``benchmarks/noise_level.py``). A network whose
first layer runs in bfloat16, or has a few channels, hardly finds that out by itself.

The level is no absolute: another camera or resizer makes as much of a difference as an attack does.
A purifier for photographs of all sorts is trained with ``sharpness``, or without the level.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# What half of the scale stands for: the colour's grain in photographs, and the brightness's.
COLOUR, GRAIN = 1e-3, 1e-2
CELL = 8


def second_difference(maps: Tensor) -> Tensor:
    """Of unit length, in both directions: (..., H, W) -> (..., H - 2, W - 2).

    In slices, which autocast leaves in their precision.
    """
    rows = maps[..., :-2, :] - 2 * maps[..., 1:-1, :] + maps[..., 2:, :]
    return (rows[..., :-2] - 2 * rows[..., 1:-1] + rows[..., 2:]) / 6


def noise_level(images: Tensor) -> Tensor:
    """A map of the noise's level: the mean of r / (r + r0) over some 40 pixels around.

    r is the size of the second difference in both directions (Immerkaer, 1996), of each channel
    less the channels' mean where there are several. It is computed in float32 or wider, since
    bfloat16 loses it in the pixels' values.

    Args:
        images: (N, C, H, W) in [0, 1].

    Returns:
        (N, 1, H, W) in [0, 1), not below float32.
    """
    height, width = images.shape[-2:]
    wide = images.to(torch.promote_types(images.dtype, torch.float32))
    colour = images.shape[1] > 1
    if colour:
        wide = wide - wide.mean(dim=1, keepdim=True)
    padded = F.pad(wide, (1, 1, 1, 1), mode="replicate")
    grain = second_difference(padded).abs()
    half = COLOUR if colour else GRAIN
    shares = (grain / (grain + half)).mean(dim=1, keepdim=True)
    cells = F.avg_pool2d(shares, CELL, ceil_mode=True, count_include_pad=False)
    smooth = F.avg_pool2d(cells, 5, stride=1, padding=2, count_include_pad=False)
    found = F.interpolate(smooth, scale_factor=CELL, mode="bilinear", align_corners=False)
    return found[..., :height, :width]
