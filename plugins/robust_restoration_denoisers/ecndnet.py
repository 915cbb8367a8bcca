"""ECNDNet: DnCNN with dilated convolutions (Tian et al., arXiv:1810.11834)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count, check_levels

from .small_start import small_batch_norm, small_convolution

DEPTH = 15  # convolutions with batch norm
DILATED = (2, 5, 9, 12)  # which of them have dilation 2, counted from 1


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
                small_convolution(inputs, features, dilation=dilation),
                small_batch_norm(features),
                nn.ReLU(inplace=True),
            ]
        layers += [small_convolution(features, channels), nn.ReLU(inplace=True)]
        layers.append(small_convolution(channels, channels, bias=True))
        self.net = nn.Sequential(*layers)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels)
        return noisy - self.net(noisy)
