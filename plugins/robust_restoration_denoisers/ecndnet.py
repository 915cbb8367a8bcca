"""ECNDNet: DnCNN with dilated convolutions (Tian et al., arXiv:1810.11834)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count, check_levels

DEPTH = 15  # convolutions with batch norm
DILATED = (2, 5, 9, 12)  # which of them have dilation 2, counted from 1
STD = math.sqrt(2 / (9 * 64))
LEAST = 0.025  # least size of a batch-norm weight at the beginning


class ECNDNet(Denoiser):
    """Fifteen convolutions with batch norm, four of them dilated, then the noise; 0.52 M weights.

    As the released code has it, the sixteenth convolution is followed by ReLU and by one last
    convolution on the predicted noise. Any image size of one pixel or more; sides are zero-padded.
    It is never told the noise level and is trained for a single one.

    Args:
        channels: Channels of the images.
        features: Channels between the convolutions.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        features: int = 64,
        sigma_range: Sequence[float] = (25 / 255, 25 / 255),
    ) -> None:
        super().__init__()
        check_count("channels", channels)
        check_count("features", features)
        self.channels: int = channels
        self.sigma_range = check_levels("sigma_range", sigma_range, one=False)
        self.options: dict[str, Any] = {
            "channels": channels,
            "features": features,
            "sigma_range": list(self.sigma_range),
        }
        layers: list[nn.Module] = []
        for number in range(1, DEPTH + 1):
            inputs = channels if number == 1 else features
            dilation = 2 if number in DILATED else 1
            layers += [
                _convolution(inputs, features, dilation=dilation),
                _batch_norm(features),
                nn.ReLU(inplace=True),
            ]
        layers += [_convolution(features, channels), nn.ReLU(inplace=True)]
        layers.append(_convolution(channels, channels, bias=True))
        self.net = nn.Sequential(*layers)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels)
        return noisy - self.net(noisy)


def _convolution(
    inputs: int, outputs: int, *, dilation: int = 1, bias: bool = False
) -> nn.Conv2d:
    """3x3, same size, begun with N(0, 2/(9*64)) as the released code is."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=bias)
    nn.init.normal_(layer.weight, std=STD)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _batch_norm(features: int) -> nn.BatchNorm2d:
    """Batch norm begun as the released code is: small weights kept away from 0, variance 0.01."""
    norm = nn.BatchNorm2d(features)
    nn.init.normal_(norm.weight, std=STD)
    weight = norm.weight.data
    weight.copy_(torch.where(weight < 0, -1.0, 1.0) * weight.abs().clamp(min=LEAST))
    norm.running_var.fill_(0.01)  # type: ignore[union-attr]
    return norm
