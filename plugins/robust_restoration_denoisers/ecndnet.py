"""ECNDNet: DnCNN with dilated convolutions (Tian et al., arXiv:1810.11834)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork
from .small_start import small_convolution, small_dilated_layers


class ECNDNet(BlindNetwork):
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
        super().__init__(channels=channels, features=features, sigma_range=sigma_range)
        layers = small_dilated_layers(channels, features)
        layers += [small_convolution(features, channels), nn.ReLU(inplace=True)]
        layers.append(small_convolution(channels, channels, bias=True))
        self.net = nn.Sequential(*layers)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        return noisy - self.net(noisy)
