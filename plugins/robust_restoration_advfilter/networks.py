"""The networks that predict kernels: U-Net, Y-Net, and the net that fuses two filterings.

AdvFilter, sections 3.2 and 4: blocks of three 3x3 convolutions with ReLU and no batch norm; five
blocks down with average pooling between them, three blocks up with bilinear upsampling and
skip connections.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .upsampled_filter import PixelMaps

ENCODER = (64, 128, 256, 512, 512)
DECODER = (512, 256)
STEP = 16  # four poolings: sides are padded to a multiple of this


def _scaled(channels: int, width: float) -> int:
    """Channels at a width, a multiple of 4 and at least 8, which convolutions like."""
    return max(8, round(channels * width / 4) * 4)


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Three times (3x3 convolution, ReLU)."""
    layers: list[nn.Module] = []
    for number in range(3):
        convolution = nn.Conv2d(inputs if number == 0 else outputs, outputs, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        layers += [convolution, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _up(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class Encoder(nn.Module):
    """Five blocks with average pooling between them.

    Args:
        channels: Channels of what comes in.
        width: Scales the paper's 64-128-256-512-512.
    """

    def __init__(self, channels: int, width: float) -> None:
        super().__init__()
        sizes = [channels, *(_scaled(c, width) for c in ENCODER)]
        self.blocks = nn.ModuleList(block(a, b) for a, b in pairwise(sizes))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of blocks 2 to 5, at 1/2, 1/4, 1/8 and 1/16 of the size."""
        features = []
        x = images
        for number, part in enumerate(self.blocks):
            x = part(x if number == 0 else F.avg_pool2d(x, 2))
            features.append(x)
        return features[1:]


class Decoder(nn.Module):
    """Three blocks up, then the predicted maps, at half the image's size.

    Args:
        outputs: How many maps are predicted.
        width: Scales the paper's 512-256-``outputs``.
        heads: How many output layers there are side by side.
    """

    def __init__(self, outputs: int, width: float, heads: int = 1) -> None:
        super().__init__()
        two, three, four, five = (_scaled(c, width) for c in ENCODER[1:])
        first, second = (_scaled(c, width) for c in DECODER)
        last = max(_scaled(outputs, width), min(outputs, 16))
        self.block6 = block(five + four, first)
        self.block7 = block(first + three, second)
        self.block8 = block(second + two, last)
        self.heads = nn.ModuleList(nn.Conv2d(last, outputs, 1) for _ in range(heads))

    def forward(self, features: list[Tensor]) -> list[PixelMaps]:
        """``outputs`` maps of (H/2, W/2) a head."""
        two, three, four, five = features
        x = self.block6(torch.cat([_up(five), four], dim=1))
        x = self.block7(torch.cat([_up(x), three], dim=1))
        x = self.block8(torch.cat([_up(x), two], dim=1))
        return [PixelMaps(x, head) for head in self.heads]  # type: ignore[arg-type]


class PixelNet(nn.Module):
    """Predicts maps for every pixel: one encoder, one or two decoders, any image size.

    Args:
        channels: Channels of the image.
        outputs: Maps to predict.
        width: Scales the channels; 1 is the paper's.
        decoders: 1 for a U-Net, 2 for the Y-Net.
        heads: Output layers a decoder.
        bias: (outputs,) initial output, or ``None`` for zeros.
        told: Whether it is also given a map of the noise's level; the paper's network is not.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        width: float,
        decoders: int = 1,
        heads: int = 1,
        bias: Tensor | None = None,
        told: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(channels + told, width)
        self.decoders = nn.ModuleList(Decoder(outputs, width, heads) for _ in range(decoders))
        for decoder in self.decoders:
            for head in decoder.heads:  # type: ignore[union-attr]
                nn.init.normal_(head.weight, std=0.1 / head.in_channels**0.5)
                nn.init.zeros_(head.bias)
                if bias is not None:
                    head.bias.data.copy_(bias)

    def forward(self, images: Tensor, level: Tensor | None = None) -> list[PixelMaps]:
        """``outputs`` maps at half the padded size, one `PixelMaps` a head, decoder by decoder.

        ``level`` is (N, 1, H, W), for a net that is told.
        """
        height, width = images.shape[-2:]
        pad = (0, -width % STEP, 0, -height % STEP)
        centred = 2 * images - 1  # without it the first blocks hardly see past the brightness
        if level is not None:
            centred = torch.cat([centred, level.to(centred.dtype)], dim=1)
        features = self.encoder(F.pad(centred, pad, mode="replicate"))
        return [m for decoder in self.decoders for m in decoder(features)]


class FusionNet(nn.Module):
    """Six convolutions and a sigmoid: from two uncertainty maps to a weight a pixel (eq. 10).

    Args:
        hidden: Channels between them.
        maps: How many maps it is given.
    """

    def __init__(self, hidden: int, maps: int = 2) -> None:
        super().__init__()
        sizes = [maps, *[hidden] * 5, 1]
        layers: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise(sizes)):
            if number:
                layers.append(nn.ReLU(inplace=True))
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, maps, H, W) -> (N, 1, H, W) in [0, 1]."""
        return torch.sigmoid(self.layers(maps))
