"""CTNet: a serial block and three crossing branches of transformers (Tian et al., 2024).

C. Tian, M. Zheng, W. Zuo, S. Zhang, Y. Zhang, C.-W. Lin: A cross Transformer for image denoising,
Information Fusion 102 (2024), 102043, arXiv:2310.10408.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count

from .blind_network import BlindNetwork
from .padding import padded

SIDE = 48  # of the squares that it restores, whose places the transformers have learned
PATCH = 3  # side of what is one token
HEADS = 12
TOGETHER = 16  # squares at a time


class CTNet(BlindNetwork):
    """Squares of 48x48, each restored by convolutions and by attention among patches of 3x3.

    A residual block and a transformer (the serial block) are followed by three branches, which are
    mixed twice and then made one (the parallel block): convolutions first, both by turns, and
    transformers first. A last convolution predicts the noise. The transformers know 256 patches by
    place, so that larger images are cut into squares, ``stride`` apart and at the far borders; of
    each, what lies within 12 pixels of a border that the image does not have is dropped, and the
    rest averaged, as the released code tests it. It stops short of the far borders and fills the
    rest from further squares; here these are averaged too. Smaller images are mirrored to 48
    pixels. 51.4 M weights for gray, of which the transformers have nearly all: an image of 256x256
    takes 361 squares, minutes on a processor. It is never told the noise level and is trained for a
    single one; no weights of its authors are among those that this package is checked with.

    Args:
        channels: Channels of the images.
        features: Channels of the features, a multiple of 4.
        stride: Distance of squares in pixels, from 1 to 24; 12 in the released code.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        features: int = 64,
        stride: int = 12,
        sigma_range: Sequence[float] = (25 / 255, 25 / 255),
    ) -> None:
        super().__init__(channels=channels, features=features, sigma_range=sigma_range)
        check_count("stride", stride)
        if stride > SIDE // 2:
            raise InputError(f"stride is {stride}; expected at most {SIDE // 2} pixels.")
        if features * PATCH**2 % HEADS:
            raise InputError(
                f"features is {features}; expected a multiple of 4, as {HEADS} heads share the "
                f"{PATCH**2} numbers that each has in a patch."
            )
        self.stride = stride
        self.options["stride"] = stride
        self.serial = nn.Sequential(
            _convolution(channels, features), Residual(features), Transformer(features)
        )
        self.first = nn.ModuleList(
            [
                nn.Sequential(Residual(features), _convolution(features, features), nn.ReLU()),
                nn.Sequential(Residual(features), Transformer(features)),
                nn.Sequential(_convolution(features, features), nn.ReLU(),
                              Transformer(features, depth=2)),
            ]
        )
        self.second = nn.ModuleList(
            [
                nn.Sequential(Transformer(features), Residual(features)),
                nn.Sequential(Residual(features), Transformer(features)),
                nn.Sequential(_convolution(features, features), nn.ReLU(),
                              Transformer(features, depth=2)),
            ]
        )
        self.third = nn.ModuleList([Transformer(features), Transformer(features, placed=False)])
        self.mix_first = nn.ModuleList(_mix(2, features) for _ in range(2))
        self.mix_second = nn.ModuleList(_mix(2, features) for _ in range(2))
        self.mix_last = _mix(3, features)
        self.last = nn.Sequential(
            Transformer(features, placed=False), _convolution(features, channels)
        )

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        height, width = noisy.shape[-2:]
        images = padded(noisy, max(0, SIDE - width), max(0, SIDE - height))
        places = list(_places(images.shape[-2], self.stride))
        across = list(_places(images.shape[-1], self.stride))
        squares = [
            images[..., top : top + SIDE, left : left + SIDE]
            for top, _, _ in places for left, _, _ in across
        ]
        restored = [
            square
            for part in torch.cat(squares).split(TOGETHER * len(images))
            for square in self.square(part).split(len(images))
        ]
        total, count = torch.zeros_like(images), torch.zeros_like(images[:1, :1])
        numbers = iter(restored)
        for top, above, below in places:
            for left, before, after in across:
                rows, columns = slice(top + above, top + below), slice(left + before, left + after)
                total[..., rows, columns] += next(numbers)[..., above:below, before:after]
                count[..., rows, columns] += 1
        return (total / count)[..., :height, :width]

    def square(self, noisy: Tensor) -> Tensor:
        """Restore squares, (N, C, 48, 48)."""
        x = self.serial(noisy)
        a, b, c = (branch(x) for branch in self.first)
        b = self.second[1](self.mix_first[0](torch.cat([a, b], dim=1)))
        c = self.second[2](self.mix_first[1](torch.cat([b, c], dim=1)))
        a = self.second[0](a)
        b = self.third[0](self.mix_second[0](torch.cat([a, b], dim=1)))
        c = self.third[1](self.mix_second[1](torch.cat([b, c], dim=1)))
        restored: Tensor = noisy - self.last(self.mix_last(torch.cat([a, b, c], dim=1)))
        return restored


class Residual(nn.Module):
    """Convolution, ReLU, convolution; the input added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(features, features), nn.ReLU(), _convolution(features, features)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        out: Tensor = x + self.body(x)
        return out


class Transformer(nn.Module):
    """Attention among the patches of a square, to which their places are added.

    Without places there are a linear layer before it and two after it, each with the input added.
    """

    def __init__(self, features: int, *, depth: int = 1, placed: bool = True) -> None:
        super().__init__()
        width = features * PATCH**2
        self.layers = nn.ModuleList(Layer(width) for _ in range(depth))
        self.places = nn.Parameter(torch.randn((SIDE // PATCH) ** 2, width)) if placed else None
        self.before = None if placed else nn.Linear(width, width)
        self.after = None if placed else _feed_forward(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, 48, 48) -> the same shape."""
        tokens = F.unfold(x, PATCH, stride=PATCH).mT  # (N, 256, 9 features)
        if self.places is not None:
            tokens = tokens + self.places
        if self.before is not None:
            tokens = tokens + self.before(tokens)
        for layer in self.layers:
            tokens = layer(tokens)
        if self.after is not None:
            tokens = tokens + self.after(tokens)
        return F.fold(tokens.mT, SIDE, PATCH, stride=PATCH)


class Layer(nn.Module):
    """Attention without biases and two linear layers, each after layer norm; the input added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = nn.MultiheadAttention(width, HEADS, bias=False, batch_first=True)
        nn.init.kaiming_uniform_(self.attention.in_proj_weight, a=math.sqrt(5))
        self.feed_forward = _feed_forward(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, tokens, width) -> the same shape."""
        seen = self.norms[0](tokens)
        tokens = tokens + self.attention(seen, seen, seen, need_weights=False)[0]
        out: Tensor = tokens + self.feed_forward(self.norms[1](tokens))
        return out


def _places(length: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Where squares begin along a side, and from where to where their result is taken."""
    last = length - SIDE
    for start in [*range(0, last, stride), last]:
        yield start, 0 if start == 0 else SIDE // 4, SIDE if start == last else SIDE - SIDE // 4


def _feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))


def _mix(branches: int, features: int) -> nn.Sequential:
    """Several branches' features made one branch's: 5x5 by channel, then 1x1."""
    inputs = branches * features
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 5, padding=2, groups=inputs), nn.Conv2d(inputs, features, 1)
    )


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)
