"""Noise2Noise's U-Net, in the form with shared weights (Lehtinen et al., arXiv:1803.04189)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork

STEP = 32  # five poolings: sides are padded to a multiple of this
LAST = (64, 32)  # channels of the two convolutions before the last


class N2NUNet(BlindNetwork):
    """Five poolings down, five transposed convolutions up; the output is the image.

    The layers are those of the paper's appendix (table 2), with two differences that published
    PyTorch weights have: the four inner blocks of the encoder are one block with one set of
    weights, as are the three inner blocks of the decoder, and upsampling is a transposed
    convolution. 0.70 M weights for colour. Any image size: sides are padded to a multiple of 32
    by repeating the last row and column, and cropped after.

    Args:
        channels: Channels of the images.
        features: Channels of the encoder; the decoder has twice as many.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        features: int = 48,
        sigma_range: Sequence[float] = (0.0, 50 / 255),
    ) -> None:
        super().__init__(channels=channels, features=features, sigma_range=sigma_range)
        few, many = features, 2 * features
        first, second = LAST
        self.enter = nn.Sequential(
            *_convolution(channels, few), *_convolution(few, few), nn.MaxPool2d(2)
        )
        self.down = nn.Sequential(*_convolution(few, few), nn.MaxPool2d(2))
        self.turn = nn.Sequential(*_convolution(few, few), _upsampling(few))
        self.up_first = nn.Sequential(
            *_convolution(2 * few, many), *_convolution(many, many), _upsampling(many)
        )
        self.up = nn.Sequential(
            *_convolution(many + few, many), *_convolution(many, many), _upsampling(many)
        )
        self.leave = nn.Sequential(
            *_convolution(many + channels, first),
            *_convolution(first, second),
            _convolution(second, channels)[0],
            nn.LeakyReLU(0.1),
        )

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        height, width = noisy.shape[-2:]
        pad = (0, -width % STEP, 0, -height % STEP)
        images = F.pad(noisy, pad, mode="replicate")
        pooled = [self.enter(images)]  # at 1/2 of the size
        for _ in range(4):
            pooled.append(self.down(pooled[-1]))  # at 1/4, 1/8, 1/16, 1/32
        x = self.turn(pooled.pop())
        x = self.up_first(torch.cat([x, pooled.pop()], dim=1))
        while pooled:
            x = self.up(torch.cat([x, pooled.pop()], dim=1))
        restored: Tensor = self.leave(torch.cat([x, images], dim=1))
        return restored[..., :height, :width]


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    """3x3 convolution, same size, and ReLU."""
    return [_initialised(nn.Conv2d(inputs, outputs, 3, padding=1)), nn.ReLU(inplace=True)]


def _upsampling(features: int) -> nn.ConvTranspose2d:
    """To twice the size."""
    layer = nn.ConvTranspose2d(features, features, 3, stride=2, padding=1, output_padding=1)
    return _initialised(layer)  # type: ignore[return-value]


def _initialised(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """Kaiming's normal initialisation (the paper's appendix) and zero biases."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
