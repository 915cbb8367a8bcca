"""A residual U-Net between an image and the image that a classifier is given instead."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout

WIDTHS = (64, 128, 256)


class ResUNet(Purifier):
    """A U-Net of residual blocks (Zhang et al., arXiv:1711.10684; blocks of arXiv:1512.03385).

    To hold against an attacker who knows of it, a purifier has to recognise what is in an image:
    its encoder is a residual network like a classifier's, at 1/2, 1/4 and 1/8 of the size, where
    a block costs least; its decoder draws what the classifier is to see. Batch norm makes training
    through attacks fast; in eval mode the network is deterministic.

    Args:
        widths: Channels at 1/2, 1/4 and 1/8 of the size.
        blocks: Residual blocks at each of them, in the encoder.
        stem: Channels of the first convolution, which runs at full size.
        additive: Add the decoder's output to the image, or, ``False``, to mid-gray: then nothing
            of the image reaches the classifier but through the network.
        channels: Of the images.

    Raises:
        InputError: If an option is out of its range.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = WIDTHS,
        blocks: Sequence[int] = (2, 2, 2),
        stem: int = 32,
        additive: bool = True,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if len(widths) != 3 or len(blocks) != 3 or min(*widths, *blocks, stem, channels) < 1:
            raise InputError(
                f"widths is {widths!r}, blocks {blocks!r}, stem {stem} and channels {channels}; "
                "expected three widths and three numbers of blocks, and nothing below 1."
            )
        self.channels, self.additive = channels, additive
        self.options = {
            "widths": list(widths),
            "blocks": list(blocks),
            "stem": stem,
            "additive": additive,
            "channels": channels,
        }
        self.encoder = Encoder(channels, stem, widths, blocks)
        self.decoder = Decoder(widths, channels)

    def features(self, images: Tensor) -> Tensor:
        """What the encoder sees in ``images``, pooled over the image: (N, ``widths[-1]``).

        Training may begin with these alone, through a linear head; see ``adversarial_purifier``.
        """
        return self.encoder(_padded(images))[-1].mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1], any size."""
        check_layout(images, "images", self.channels, self)
        return self.drawn(images).clamp(0, 1)

    def drawn(self, images: Tensor) -> Tensor:
        """What `forward` gives before it is clamped."""
        height, width = images.shape[-2:]
        padded = _padded(images)
        drawn: Tensor = self.decoder(self.encoder(padded)).to(images.dtype)
        base = padded if self.additive else torch.full_like(padded, 0.5)
        return (base + drawn)[..., :height, :width]


class Encoder(nn.Module):
    """A stem at full size, then residual blocks at 1/2, 1/4 and 1/8.

    Args:
        channels: Channels of the images.
        stem: Channels of the stem.
        widths: Channels at the three sizes.
        blocks: Blocks at each of them.
    """

    def __init__(
        self, channels: int, stem: int, widths: Sequence[int], blocks: Sequence[int]
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, stem, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(stem)
        _initialise(self.stem)
        self.stages = nn.ModuleList()
        before = stem
        for width, count in zip(widths, blocks, strict=True):
            rest = [ResidualBlock(width, width) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(ResidualBlock(before, width, stride=2), *rest))
            before = width

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features (N, ``widths[i]``, H / 2^(i+1), W / 2^(i+1)); H and W are multiples of 8."""
        x = F.relu(self.norm(self.stem(2 * images - 1)))
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class Decoder(nn.Module):
    """From 1/8 of the size up to 1/2, and from there to pixels by a pixel shuffle.

    Args:
        widths: The encoder's.
        channels: Channels of the images.
    """

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        pairs = [(widths[2], widths[1]), (widths[1], widths[0])]
        self.ups = nn.ModuleList(nn.Conv2d(before, after, 1) for before, after in pairs)
        self.blocks = nn.ModuleList(ResidualBlock(after, after) for _, after in pairs)
        self.out = nn.Conv2d(widths[0], 4 * channels, 3, padding=1)
        for convolution in self.ups:
            _initialise(convolution)  # type: ignore[arg-type]
        # Close to the image at first, and not at it: no layer starts without a gradient.
        nn.init.normal_(self.out.weight, std=0.1 / (9 * widths[0]) ** 0.5)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: list[Tensor]) -> Tensor:
        """(N, C, H, W), of any sign."""
        x = features[-1]
        for up, block, skipped in zip(self.ups, self.blocks, features[-2::-1], strict=True):
            x = block(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + skipped)
        return F.pixel_shuffle(self.out(x), 2)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, and a shortcut around them (arXiv:1512.03385).

    The shortcut averages before its 1x1 convolution where the size halves, as in ResNet-D
    (arXiv:1812.01187): no pixel is skipped. The second norm starts at 0, the block at its shortcut.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stride: 1 or 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.norm2.weight)
        shortcut: list[nn.Module] = [nn.AvgPool2d(2)] if stride == 2 else []
        if inputs != outputs:
            shortcut.append(nn.Conv2d(inputs, outputs, 1, bias=False))
        self.shortcut = nn.Sequential(*shortcut)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _initialise(module)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ``inputs``, H, W) to (N, ``outputs``, H / ``stride``, W / ``stride``)."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.shortcut(x) + y)


def _initialise(convolution: nn.Conv2d) -> None:
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def _padded(images: Tensor) -> Tensor:
    """Sides filled up to multiples of 8, by repeating the last row and column."""
    height, width = images.shape[-2:]
    pad = (0, -width % 8, 0, -height % 8)
    return F.pad(images, pad, mode="replicate") if any(pad) else images
