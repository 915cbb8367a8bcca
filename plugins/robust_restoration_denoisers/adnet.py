"""ADNet: a chain of convolutions whose noise is weighed by attention (Tian et al., 2020).

C. Tian, Y. Xu, Z. Li, W. Zuo, L. Fei, H. Liu: Attention-guided CNN for image denoising, Neural
Networks 124 (2020), https://doi.org/10.1016/j.neunet.2019.12.024.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork
from .small_start import small_convolution, small_dilated_layers


class ADNet(BlindNetwork):
    """Sixteen convolutions predict the noise; it is weighed by attention, then taken off.

    With F the output of the sixteenth convolution, the restored image is x - A(x) * F, where A is
    a 1x1 convolution of tanh([x, F]) (the feature enhancement, attention and
    reconstruction blocks). The first twelve convolutions are the sparse block, four of them
    dilated. 0.52 M weights (table 4). Any image size of one pixel or more; sides are zero-padded.
    It is never told the noise level: ADNet is trained for a single one, ADNet-B for a range.

    Args:
        channels: Channels of the images, 1 for gray and 3 for colour.
        features: Channels between the convolutions.
        sigma_range: The lowest and highest level it is trained for; (0, 55/255) for ADNet-B.

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
        layers.append(small_convolution(features, channels))
        self.net = nn.Sequential(*layers)
        self.attention = small_convolution(2 * channels, channels, 1, bias=True)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        noise = self.net(noisy)
        weight = self.attention(torch.cat([noisy, noise], dim=1).tanh())
        return noisy - weight * noise
