"""The networks that predict kernels: U-Net, Y-Net, and the net that fuses two filterings.

AdvFilter, sections 3.2 and 4: blocks of three 3x3 convolutions with ReLU and no batch norm; five
blocks down with average pooling between them, three blocks up with bilinear upsampling and
skip connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .grain import fine_grain

ENCODER = (64, 128, 256, 512, 512)
DECODER = (512, 256)
# Half an image's attack is still an attack: of mixtures of the two filters, which a sigmoid gives
# where it is in doubt, a classifier keeps less than of either.
STEEPNESS = 4.0
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
    """Five blocks with average pooling between them, or the last four of them.

    Args:
        channels: Channels of what comes in.
        width: Scales the paper's 64-128-256-512-512.
        halved: Whether what comes in is of half the image's size already, for block 2: the first
            block, at full size, costs most and gives no features of its own.
    """

    def __init__(self, channels: int, width: float, *, halved: bool) -> None:
        super().__init__()
        sizes = [channels, *(_scaled(c, width) for c in ENCODER[halved:])]
        self.blocks = nn.ModuleList(block(a, b) for a, b in pairwise(sizes))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of blocks 2 to 5, at 1/2, 1/4, 1/8 and 1/16 of the image's size."""
        features = []
        x = images
        for number, part in enumerate(self.blocks):
            x = part(x if number == 0 else F.avg_pool2d(x, 2))
            features.append(x)
        return features[-4:]


class Decoder(nn.Module):
    """Three blocks up, then the predicted maps, at half the image's size.

    Args:
        outputs: How many maps are predicted.
        width: Scales the paper's 512-256-``outputs``.
        encoder_width: The encoder's.
        heads: How many output layers there are side by side.
    """

    def __init__(self, outputs: int, width: float, encoder_width: float, heads: int = 1) -> None:
        super().__init__()
        two, three, four, five = (_scaled(c, encoder_width) for c in ENCODER[1:])
        first, second = (_scaled(c, width) for c in DECODER)
        last = max(_scaled(outputs, width), min(outputs, 16))
        self.block6 = block(five + four, first)
        self.block7 = block(first + three, second)
        self.block8 = block(second + two, last)
        self.heads = nn.ModuleList(nn.Conv2d(last, outputs, 1) for _ in range(heads))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """``outputs`` maps of (H/2, W/2) a head."""
        two, three, four, five = features
        x = self.block6(torch.cat([_up(five), four], dim=1))
        x = self.block7(torch.cat([_up(x), three], dim=1))
        x = self.block8(torch.cat([_up(x), two], dim=1))
        return [_output(x, head) for head in self.heads]  # type: ignore[arg-type]


def _output(features: Tensor, layer: nn.Conv2d) -> Tensor:
    """A 1x1 convolution, contiguous, and in float32 also under autocast.

    Of a kernel's middle, which is near one, bfloat16 has two digits.
    """
    with torch.autocast(features.device.type, enabled=False):
        rows = features.to(layer.weight.dtype).flatten(2)
        weight = layer.weight.flatten(1).expand(rows.shape[0], -1, -1)
        assert layer.bias is not None
        maps = torch.baddbmm(layer.bias.view(1, -1, 1), weight, rows)
    return maps.unflatten(2, features.shape[2:])


class PixelNet(nn.Module):
    """Predicts maps for every pixel: one encoder, one or two decoders, any image size.

    Args:
        channels: Channels of the image.
        outputs: Maps to predict.
        width: Scales the encoder's channels; 1 is the paper's.
        decoder_width: Scales the decoders'.
        decoders: 1 for a U-Net, 2 for the Y-Net.
        heads: Output layers a decoder.
        biases: One (outputs,) initial output a decoder, or ``None`` for zeros.
        grain: Whether it is shown the image's `fine_grain` too; the paper's network is not.
        halved: Whether squares of 2 x 2 pixels come in as channels, in place of block 1; in the
            paper's network they do not.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        width: float,
        decoder_width: float,
        decoders: int = 1,
        heads: int = 1,
        biases: Sequence[Tensor] | None = None,
        grain: bool = False,
        halved: bool = False,
    ) -> None:
        super().__init__()
        self.grain, self.halved = grain, halved
        seen = channels * (2 if grain else 1) * (4 if halved else 1)
        self.encoder = Encoder(seen, width, halved=halved)
        self.decoders = nn.ModuleList(
            Decoder(outputs, decoder_width, width, heads) for _ in range(decoders)
        )
        for number, decoder in enumerate(self.decoders):
            for head in decoder.heads:  # type: ignore[union-attr]
                nn.init.normal_(head.weight, std=0.1 / head.in_channels**0.5)
                nn.init.zeros_(head.bias)
                if biases is not None:
                    head.bias.data.copy_(biases[number])

    def forward(self, images: Tensor) -> list[Tensor]:
        """``outputs`` maps at half the padded size, a tensor a head, decoder by decoder."""
        height, width = images.shape[-2:]
        seen = 2 * images - 1  # without it the first blocks hardly see past the brightness
        if self.grain:
            seen = torch.cat([seen, fine_grain(images).to(seen.dtype)], dim=1)
        seen = F.pad(seen, (0, -width % STEP, 0, -height % STEP), mode="replicate")
        if self.halved:
            seen = F.pixel_unshuffle(seen, 2)
        features = self.encoder(seen.contiguous(memory_format=torch.channels_last))
        return [m for decoder in self.decoders for m in decoder(features)]


class FusionNet(nn.Module):
    """Six convolutions and a sigmoid: from two uncertainty maps to a weight a pixel (eq. 10).

    Args:
        hidden: Channels between them.
        detector: What its logits are added to those of the convolutions, or ``None``, which is the
            paper's.
    """

    def __init__(self, hidden: int, detector: nn.Module | None = None) -> None:
        super().__init__()
        sizes = [2, *[hidden] * 5, 1]
        layers: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise(sizes)):
            if number:
                layers.append(nn.ReLU(inplace=True))
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.layers = nn.Sequential(*layers)
        self.detector = detector
        if detector is not None:  # the convolutions then begin with no opinion
            nn.init.zeros_(layers[-1].weight)  # type: ignore[arg-type]
            nn.init.zeros_(layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """Uncertainty (N, 2, h, w) of images (N, C, H, W) -> weights (N, 1, h, w) in [0, 1]."""
        found: Tensor = self.layers(maps.contiguous(memory_format=torch.channels_last))
        found = found.to(maps.dtype)
        if self.detector is not None:
            told = STEEPNESS * self.detector(fine_grain(images))
            found = found + told.to(found.dtype).view(-1, 1, 1, 1)
        return torch.sigmoid(found)
