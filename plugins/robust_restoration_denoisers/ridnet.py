"""RIDNet: real-image denoising with feature attention (Anwar and Barnes, arXiv:1904.07396)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork

DIV2K = (0.4488, 0.4371, 0.4040)  # mean colour of its images
BLOCKS = 4  # enhancement attention modules
REDUCTION = 16  # how much narrower the attention is inside


class RIDNet(BlindNetwork):
    """Four enhancement attention modules (EAM) predict what is added to the noisy image.

    Each EAM merges two chains of dilated convolutions (1 and 2; 3 and 4) and adds its input, then
    has a residual block, an enhanced residual block with a 1x1 convolution, and attention over
    channels. As the released code has it, there is no connection around the modules beyond those
    within, and DIV2K's mean colour is taken off before and added after. 1.50 M weights. It is
    blind. No weights of its authors are among those that this package is checked with.

    Args:
        channels: Channels of the images; 3 in the released code. For others the mean is one gray.
        features: Channels between the convolutions, a multiple of 16.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    mean: Tensor

    def __init__(
        self,
        *,
        channels: int = 3,
        features: int = 64,
        sigma_range: Sequence[float] = (0.0, 50 / 255),
    ) -> None:
        super().__init__(
            channels=channels, features=features, sigma_range=sigma_range, reduction=REDUCTION
        )
        self.head = _relu(channels, features)
        self.blocks = nn.Sequential(*(Enhancement(features) for _ in range(BLOCKS)))
        self.tail = nn.Conv2d(features, channels, 3, padding=1)
        mean = DIV2K if channels == len(DIV2K) else [sum(DIV2K) / len(DIV2K)] * channels
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        change: Tensor = self.tail(self.blocks(self.head(noisy - self.mean)))
        return noisy + change + self.mean


class Enhancement(nn.Module):
    """Merge and run, two residual blocks, and attention over channels."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.near = nn.Sequential(*_relu(features, features), *_relu(features, features, 2))
        self.far = nn.Sequential(*_relu(features, features, 3), *_relu(features, features, 4))
        self.merge = _relu(2 * features, features)
        self.residual = nn.Sequential(
            *_relu(features, features), nn.Conv2d(features, features, 3, padding=1)
        )
        self.enhanced = nn.Sequential(
            *_relu(features, features), *_relu(features, features), nn.Conv2d(features, features, 1)
        )
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(features, features // REDUCTION, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features // REDUCTION, features, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        x = x + self.merge(torch.cat([self.near(x), self.far(x)], dim=1))
        x = (x + self.residual(x)).relu()
        x = (x + self.enhanced(x)).relu()
        out: Tensor = x * self.attention(x)
        return out


def _relu(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    """A 3x3 convolution, same size, and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.ReLU(inplace=True)
    )
