"""Tells attacked images from others, so that a purifier leaves the others as they are.

Most of what a classifier sees is not attacked, and any filter costs accuracy there. What tells an
attack is the finest grain: photographs have little of it, it goes with their brightness, and the
colours share it; an attack changes each value by itself. How much of it is clean differs from
camera to camera and from resizer to resizer, so that a gate is only as good as its training images
are various (`make_mosaics`, `with_colour_detail`, `with_camera_noise`). An attacker who knows of a
gate gets past it: gradients pass through it like through the rest. So does a smooth attack without
knowing it, such as TI-FGSM, which leaves no fine grain (``benchmarks/gate_attacks.py``).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .noise_level import second_difference

# Channels of the convolutions, and which of them halve the size.
CHANNELS = (16, 16, 32, 48, 64)
STRIDES = (2, 1, 2, 2, 1)
SOFT = 4.0  # of 255: grain beyond it is texture, and is pressed together
OPEN = 2.0  # untrained it lets everything be filtered, so that filters are validated as they are
# Half an image's attack is still an attack: mixtures of an image and its filtered copy, which a
# sigmoid gives where it is in doubt, are good for little.
STEEPNESS = 4.0
CLOSED = 1e-4  # as little of a filtered image as no 8-bit value shows


def fine_grain(images: Tensor) -> Tensor:
    """What differs from pixel to pixel, in the channels' mean and in each channel less the mean.

    Of each, the second difference in both directions and the difference from the (1 2 1)/4 blur,
    in 255ths and pressed into (-4, 4). In float32 or wider, since bfloat16 loses them in the
    pixels' values.

    Args:
        images: (N, C, H, W) in [0, 1].

    Returns:
        (N, G, H, W); G is 2 for one channel, else 2 (C + 1).
    """
    wide = images.to(torch.promote_types(images.dtype, torch.float32))
    if wide.shape[1] > 1:
        mean = wide.mean(dim=1, keepdim=True)
        wide = torch.cat([mean, wide - mean], dim=1)
    padded = F.pad(wide, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    blurred = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16
    found = 255 * torch.cat([second_difference(padded), wide - blurred], dim=1)
    return SOFT * found / (SOFT + found.abs())


class Gate(nn.Module):
    """A small detector of attacked images: one number an image, above 0 for an attacked one.

    Args:
        channels: Channels of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        sizes = [2 if channels == 1 else 2 * (channels + 1), *CHANNELS]
        layers: list[nn.Module] = []
        for (inputs, outputs), stride in zip(pairwise(sizes), STRIDES, strict=True):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(2 * CHANNELS[-1], 1)
        nn.init.constant_(self.last.bias, OPEN)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1], any size -> (N,) logits."""
        grain = fine_grain(images).to(self.last.weight.dtype)
        features = self.layers(grain.contiguous(memory_format=torch.channels_last)).float()
        mean = features.mean(dim=(2, 3))
        spread = (features.var(dim=(2, 3), correction=0) + 1e-6).sqrt()
        found: Tensor = self.last(torch.cat([mean, spread], dim=1).to(self.last.weight.dtype))
        return found[:, 0].float()

    def share(self, images: Tensor) -> Tensor:
        """How much of the filtered image to take, (N, 1, 1, 1) in [0, 1]: mostly none or all."""
        return torch.sigmoid(STEEPNESS * self(images)).view(-1, 1, 1, 1)
