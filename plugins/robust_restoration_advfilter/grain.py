"""An image's finest grain, which tells an attack from a photograph.

Photographs have little grain from one pixel to the next, it goes with their brightness, and the
colours share it: lenses, sensors and JPEG blur them. An attack changes each value by itself, by one
or two 255ths where it is small, which a network whose first layer runs in bfloat16 cannot see in
the pixels' values.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SOFT = 4.0  # of 255: grain beyond it is texture, and is pressed together


def fine_grain(images: Tensor) -> Tensor:
    """What differs from pixel to pixel: in the channels' mean, and in each but one less the mean.

    The second difference in both directions (Immerkaer, 1996), in 255ths and pressed into (-1, 1)
    by r / (4 + |r|). In float32 or wider.

    Args:
        images: (N, C, H, W) in [0, 1].

    Returns:
        (N, C, H, W).
    """
    wide = images.to(torch.promote_types(images.dtype, torch.float32))
    if wide.shape[1] > 1:
        mean = wide.mean(dim=1, keepdim=True)
        wide = torch.cat([mean, wide[:, 1:] - mean], dim=1)
    padded = F.pad(wide, (1, 1, 1, 1), mode="replicate")
    # In slices, which autocast leaves in their precision.
    rows = padded[..., :-2, :] - 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    found = (rows[..., :-2] - 2 * rows[..., 1:-1] + rows[..., 2:]) * (255 / 6)
    return found / (SOFT + found.abs())
