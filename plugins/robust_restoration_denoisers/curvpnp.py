"""CurvPnP's denoiser: told the noise and the curvature that it estimates (Li and Duan, 2022).

Y. Li, Y. Duan: CurvPnP: plug-and-play blind image restoration with deep curvature denoiser, 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork
from .padding import padded_to_multiple

SCALES = 4
ESTIMATING, DENOISING = 2, 4  # blocks at each scale of the two networks


class CurvPnP(BlindNetwork):
    """A U-Net estimates noise level and image; a second one restores with their curvature.

    The first network gives one noise level an image and a first estimate, whose Gaussian curvature
    (the product of the least and the greatest of eight normal curvatures at each pixel, borders
    periodic) enters the second network beside the noisy image and the level, and weighs its finest
    features in a supervised attention. Both are U-Nets of ConvNeXt blocks without normalisation.
    This is what the authors' released code does for denoising. It is blind. Sides are padded to
    multiples of 8 by reflection and cropped after; its authors crop instead. No weights of theirs
    are among those that this package is checked with. 53.7 M weights.

    Args:
        channels: Channels of the images.
        features: Channels at the first scale; each further one has twice as many.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        features: int = 96,
        sigma_range: Sequence[float] = (0.0, 50 / 255),
    ) -> None:
        super().__init__(channels=channels, features=features, sigma_range=sigma_range)
        self.estimate = UNet(channels, channels + 1, features, ESTIMATING)
        self.restore = UNet(2 * channels + 1, channels, features, DENOISING)
        self.supervise = Supervision(channels, features)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        height, width = noisy.shape[-2:]
        images = padded_to_multiple(noisy, 2 ** (SCALES - 1))
        found = self.estimate(images)
        level = found[:, :1].mean(dim=(1, 2, 3), keepdim=True)
        level_map = level.expand(-1, 1, *images.shape[-2:])
        curved = curvature(images + found[:, 1:])
        out = self.restore(
            torch.cat([images, level_map, curved], dim=1),
            lambda features: self.supervise(features, images, curved),
        )
        restored: Tensor = images + out
        return restored[..., :height, :width]


class UNet(nn.Module):
    """Four scales of blocks, added up on the way back."""

    def __init__(self, inputs: int, outputs: int, features: int, blocks: int) -> None:
        super().__init__()
        widths = [features * 2**scale for scale in range(SCALES)]
        self.head = nn.Conv2d(inputs, features, 3, padding=1, bias=False)
        self.down = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.shrink = nn.ModuleList(
            nn.Conv2d(width, 2 * width, 2, stride=2, bias=False) for width in widths[:-1]
        )
        self.body = _blocks(widths[-1], blocks)
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 2, stride=2, bias=False)
            for width in widths[-2::-1]
        )
        self.up = nn.ModuleList(_blocks(width, blocks) for width in widths[-2::-1])
        self.tail = nn.Conv2d(features, outputs, 3, padding=1, bias=False)

    def forward(self, images: Tensor, finest: Any = None) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W).

        Args:
            images: H and W multiples of 8.
            finest: What becomes of the finest features before they are added on the way back.
        """
        x = self.head(images)
        kept: list[Tensor] = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            x = block(x)
            kept.append(x if kept or finest is None else finest(x))
            x = shrink(x)
        x = self.body(x)
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            x = block(enlarge(x) + kept.pop())
        out: Tensor = self.tail(x)
        return out


class Block(nn.Module):
    """A 7x7 convolution by channel, and two 1x1 ones with ReLU between; the input added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 7, padding=3, groups=features, bias=False),
            nn.Conv2d(features, 4 * features, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(4 * features, features, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        out: Tensor = x + self.body(x)
        return out


class Supervision(nn.Module):
    """Weighs features by an image made of them, and by a curvature."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(features, features, 1, bias=False)
        self.image = nn.Conv2d(features, channels, 1, bias=False)
        self.from_image = nn.Conv2d(channels, features, 1, bias=False)
        self.from_curvature = nn.Conv2d(channels, features, 1, bias=False)
        self.mix = nn.Conv2d(2 * features, features, 1, bias=False)

    def forward(self, features: Tensor, noisy: Tensor, curved: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        weights = torch.cat(
            [
                self.from_image(self.image(features) + noisy).sigmoid(),
                self.from_curvature(curved).sigmoid(),
            ],
            dim=1,
        )
        out: Tensor = features + self.features(features) * self.mix(weights)
        return out


def curvature(images: Tensor) -> Tensor:
    """The Gaussian curvature of each channel as a surface, (N, C, H, W); borders are periodic.

    Eight normal curvatures at each pixel, as the released code has them: the distance of the
    pixel to the tangent plane through three of its neighbours, over the squared distance of the
    point half way towards them. The least and the greatest in size are multiplied.
    """

    def at(down: int, right: int) -> Tensor:
        return images.roll((-down, -right), dims=(-2, -1))

    u = images
    up, down, left, right = at(-1, 0), at(1, 0), at(0, -1), at(0, 1)
    up_left, down_right, up_right, down_left = at(-1, -1), at(1, 1), at(-1, 1), at(1, -1)

    def normal(height: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return height / (first.square() + second.square() + 4).sqrt()

    def span(middle: Tensor, spread: int) -> Tensor:
        return (middle - u).square() + spread

    each = [
        normal(2 * u - left - right, 2 * up - left - right, left - right) / span((up + u) / 2, 1),
        normal(left + right - 2 * u, 2 * down - left - right, right - left)
        / span((down + u) / 2, 1),
        normal(up + down - 2 * u, up + down - 2 * left, down - up) / span((left + u) / 2, 1),
        normal(2 * u - up - down, up + down - 2 * right, up - down) / span((right + u) / 2, 1),
        normal(
            up_left + up_right + down_left - up - left - u,
            down_left - up_left, up_right - up_left,
        ) / span((up_left + left + up + u) / 4, 2),
        normal(
            u + down + right - down_right - up_right - down_left,
            up_right - down_right, down_left - down_right,
        ) / span((down_right + right + down + u) / 4, 2),
        normal(
            u + up + right - up_left - down_right - up_right,
            up_right - down_right, up_left - up_right,
        ) / span((up_right + right + up + u) / 4, 2),
        normal(
            up_left + down_right + down_left - down - left - u,
            down_left - up_left, down_right - down_left,
        ) / span((down_left + left + down + u) / 4, 2),
    ]
    stacked = torch.stack(each)
    sizes = stacked.abs()
    least, greatest = (
        stacked.gather(0, index) for index in (sizes.argmin(0, True), sizes.argmax(0, True))
    )
    return (least * greatest)[0]


def _blocks(features: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(features) for _ in range(count)))
