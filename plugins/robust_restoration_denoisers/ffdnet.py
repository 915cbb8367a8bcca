"""FFDNet: works at half resolution and is told the noise level (Zhang et al., arXiv:1710.04026)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count, check_levels

from .sigma import sigma_per_image

GRAY, COLOUR = (15, 64), (12, 96)  # depth and features of the paper (section III.B)


class FFDNet(Denoiser):
    """A chain of 3x3 convolutions on the four sub-images of an image and a map of the noise level.

    The output is the image, not the noise. Any image size: odd sides are padded by repeating the
    last row or column, and cropped after.

    Args:
        channels: Channels of the images, 1 for gray and 3 for colour.
        depth: Number of convolutions; by default the paper's, 15 for gray and 12 for colour.
        features: Channels between them; by default the paper's, 64 for gray and 96 for colour.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    blind = False

    def __init__(
        self,
        *,
        channels: int = 1,
        depth: int | None = None,
        features: int | None = None,
        sigma_range: Sequence[float] = (0.0, 75 / 255),
    ) -> None:
        super().__init__()
        usual = GRAY if channels == 1 else COLOUR
        depth = usual[0] if depth is None else depth
        features = usual[1] if features is None else features
        check_count("channels", channels)
        check_count("features", features)
        check_count("depth", depth, at_least=2)
        self.channels: int = channels
        self.sigma_range = check_levels("sigma_range", sigma_range, one=False)
        self.options: dict[str, Any] = {
            "channels": channels,
            "depth": depth,
            "features": features,
            "sigma_range": list(self.sigma_range),
        }
        inputs = 4 * channels + 1  # the sub-images, then the map
        layers: list[nn.Module] = [_convolution(inputs, features), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [_convolution(features, features), nn.ReLU(inplace=True)]
        layers.append(_convolution(features, 4 * channels))
        self.net = nn.Sequential(*layers)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``.

        Args:
            noisy: (N, C, H, W).
            sigma: Noise level as a fraction of the range, a float or (N,).

        Returns:
            (N, C, H, W), not clamped.

        Raises:
            InputError: If ``sigma`` is missing or no level, or ``noisy`` of another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        levels = sigma_per_image(sigma, noisy, denoiser="FFDNet")
        height, width = noisy.shape[-2:]
        parts = split(F.pad(noisy, (0, width % 2, 0, height % 2), mode="replicate"))
        level_map = levels[:, None, None, None].expand(-1, 1, *parts.shape[-2:])
        restored: Tensor = self.net(torch.cat([parts, level_map], dim=1))
        return join(restored)[..., :height, :width]


ffdnet_test = functools.partial(FFDNet, depth=3, features=8)


def split(images: Tensor) -> Tensor:
    """The four sub-images: (N, C, 2H, 2W) -> (N, 4C, H, W).

    Channel 4c + k is channel c at the (row, column) offsets (0, 0), (1, 0), (0, 1), (1, 1) for
    k = 0 to 3: down the rows first, as the authors' weights want it, and not along them, as
    ``pixel_unshuffle`` has it.
    """
    return F.pixel_unshuffle(images.mT, 2).mT


def join(parts: Tensor) -> Tensor:
    """The inverse of `split`: (N, 4C, H, W) -> (N, C, 2H, 2W)."""
    return F.pixel_shuffle(parts.mT, 2).mT


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3, same size, Kaiming's normal initialisation and zero biases."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution
