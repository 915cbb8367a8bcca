"""Tells attacked images from others by their finest grain, for the fusion net to choose by.

Whether an image is attacked, all of it together tells better than any place: the signal of an
attack of one or two 255ths is faint where there is texture. How much grain is clean differs from
camera to camera and from resizer to resizer, so that a detector is only as good as its training
images are various. An attacker who knows of it gets past it: gradients pass through it like
through the rest.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

# Channels of the convolutions, and which of them halve the size.
CHANNELS = (16, 16, 32, 48, 64)
STRIDES = (2, 1, 2, 2, 1)


class Detector(nn.Module):
    """One number an image from its `fine_grain`: above 0 where it looks as it was taken.

    Args:
        channels: Channels of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for (inputs, outputs), stride in zip(
            pairwise([channels, *CHANNELS]), STRIDES, strict=True
        ):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(2 * CHANNELS[-1], 1)

    def forward(self, grain: Tensor) -> Tensor:
        """(N, C, H, W), any size -> (N,) logits."""
        seen = grain.to(self.last.weight.dtype).contiguous(memory_format=torch.channels_last)
        features = self.layers(seen).to(self.last.weight.dtype)
        mean = features.mean(dim=(2, 3))
        spread = (features.var(dim=(2, 3), correction=0) + 1e-6).sqrt()
        with torch.autocast(grain.device.type, enabled=False):
            found: Tensor = self.last(torch.cat([mean, spread], dim=1))
        return found[:, 0]
