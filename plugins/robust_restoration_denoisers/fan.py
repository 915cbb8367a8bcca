"""FAN: the frequency attention network (Mo et al., ACCV 2020).

H. Mo, J. Jiang, Q. Wang, D. Yin, P. Dong, J. Tian: Frequency attention network: blind noise
removal for real images, ACCV 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork
from .padding import padded_to_multiple

SCALES = 4  # of the U-Net; three poolings
BANDS = 4  # of one level of Haar's wavelet transform
SPATIAL, CHANNELS = 4, 16  # how much narrower the two attentions are inside
# Rows give Y, U and V of R, G and B, less an offset of 1/2 in U and V; and back, as released.
TO_YUV = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))
TO_RGB = ((1.0, 0.0, 1.4075), (1.0, -0.3455, -0.7169), (1.0, 1.779, 0.0))


class FAN(BlindNetwork):
    """A noise map, and a U-Net with attention on wavelet bands of the luminance and the colours.

    A chain of seven convolutions estimates the map of the noise (Est-Net). The image's luminance
    is split by one level of the undecimated Haar transform, periodic at the border; its four
    bands, the two colour differences and the map's YUV enter a U-Net (De-Net) in which a spatial
    and a channel attention (SCAB) stand at the end of each scale, and which returns bands and
    colour differences. 12.3 M weights. Colour images only. Sides are padded to multiples of 8 by
    reflection and cropped after; its authors crop instead. It is blind. No weights of its authors
    are among those that this package is checked with.

    Args:
        channels: Channels of the images: 3.
        features: Channels at the first scale, a multiple of 16.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    to_yuv: Tensor
    to_rgb: Tensor
    offset: Tensor

    def __init__(
        self,
        *,
        channels: int = 3,
        features: int = 64,
        sigma_range: Sequence[float] = (0.0, 50 / 255),
    ) -> None:
        super().__init__(
            channels=channels, features=features, sigma_range=sigma_range, reduction=CHANNELS
        )
        if channels != len(TO_YUV):
            raise InputError(
                f"channels is {channels}; FAN splits colours into luminance and differences, and "
                "takes 3."
            )
        self.estimate = nn.Sequential(
            *_prelu(channels, features),
            *(layer for _ in range(5) for layer in _prelu(features, features)),
            nn.Conv2d(features, channels, 3, padding=1),
        )
        widths = [features * 2**scale for scale in range(SCALES)]
        entering = BANDS + 2 + channels
        self.down = nn.ModuleList(
            _block(widths[scale - 1] if scale else entering, widths[scale], SCALES - scale)
            for scale in range(SCALES)
        )
        self.attention = nn.ModuleList(Attention(width) for width in widths[:-1])
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[-2::-1]
        )
        self.up = nn.ModuleList(
            _block(2 * widths[scale], widths[scale], SCALES - scale)
            for scale in range(SCALES - 2, -1, -1)
        )
        self.last = nn.Conv2d(features, BANDS + 2, 3, padding=1)
        for name, rows in (("to_yuv", TO_YUV), ("to_rgb", TO_RGB)):
            self.register_buffer(name, torch.tensor(rows)[..., None, None], persistent=False)
        self.register_buffer("offset", torch.tensor([0, 0.5, 0.5])[:, None, None], persistent=False)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, 3, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        height, width = noisy.shape[-2:]
        images = padded_to_multiple(noisy, 2 ** (SCALES - 1))
        noise_map = self._yuv(self.estimate(images))
        yuv = self._yuv(images)
        x, kept = torch.cat([split(yuv[:, :1]), yuv[:, 1:], noise_map], dim=1), []
        for block, attention in zip(self.down, self.attention, strict=False):
            x = attention(block(x))
            kept.append(x)
            x = F.avg_pool2d(x, 2)
        x = self.down[-1](x)
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            x = block(torch.cat([enlarge(x), kept.pop()], dim=1))
        out = self.last(x)
        yuv = torch.cat([join(out[:, :BANDS]), out[:, BANDS:]], dim=1)
        return F.conv2d(yuv - self.offset, self.to_rgb)[..., :height, :width]

    def _yuv(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self.to_yuv) + self.offset


def split(plane: Tensor) -> Tensor:
    """One level of the undecimated Haar transform, periodic: (N, 1, H, W) -> (N, 4, H, W).

    The bands: mean; change down the rows; change along them; both.
    """
    right = plane.roll(-1, dims=-1)
    bands = []
    for part in ((plane + right) / 2, (plane - right) / 2):
        below = part.roll(-1, dims=-2)
        bands += [part + below, part - below]
    return torch.cat(bands, dim=1)


def join(bands: Tensor) -> Tensor:
    """The inverse of `split`: the mean of the two decimated inverses, as released."""
    mean, down, along, both = bands.split(1, dim=1)
    even = _decimated(mean, down, along, both, first=0)
    odd = _decimated(mean, down, along, both, first=1)
    return (even + odd) / 2


def _decimated(mean: Tensor, down: Tensor, along: Tensor, both: Tensor, first: int) -> Tensor:
    """Inverts the bands at every second row and column, from ``first`` on: (N, 1, H, W)."""
    a, b, c, d = (x[..., first::2, first::2] for x in (mean, down, along, both))
    parts = torch.stack([a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d], dim=2) / 2
    whole = F.pixel_shuffle(parts.flatten(1, 2), 2)
    return whole.roll((first, first), dims=(-2, -1))


class Attention(nn.Module):
    """Spatial and channel attention side by side (SCAB), and the input added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        few, least = features // SPATIAL, features // SPATIAL**2
        self.before = nn.Sequential(
            *_prelu(features, features), nn.Conv2d(features, features, 3, padding=1)
        )
        self.channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            *_prelu(features, features // CHANNELS, 1),
            nn.Conv2d(features // CHANNELS, features, 1),
            nn.Sigmoid(),
        )
        self.spatial = nn.Sequential(
            *_prelu(features, features),
            *_prelu(features, few, 1),
            *_prelu(few, few, dilation=2),
            *_prelu(few, least, 1),
            *_prelu(least, least, dilation=4),
            nn.Conv2d(least, 1, 1),
            nn.Sigmoid(),
        )
        self.after = nn.Conv2d(2 * features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        found = self.before(x)
        both = torch.cat([found * self.spatial(found), found * self.channel(found)], dim=1)
        out: Tensor = x + self.after(both)
        return out


class Residual(nn.Module):
    """A convolution with PReLU, and the input added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_prelu(features, features))

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        out: Tensor = x + self.body(x)
        return out


def _block(inputs: int, outputs: int, count: int) -> nn.Sequential:
    """A convolution with PReLU, and ``count`` - 1 residual ones, at least one."""
    return nn.Sequential(
        *_prelu(inputs, outputs), *(Residual(outputs) for _ in range(max(count - 1, 1)))
    )


def _prelu(inputs: int, outputs: int, size: int = 3, dilation: int = 1) -> list[nn.Module]:
    """A convolution, same size, and PReLU."""
    padding = dilation * (size // 2)
    layer = nn.Conv2d(inputs, outputs, size, padding=padding, dilation=dilation)
    return [layer, nn.PReLU()]
