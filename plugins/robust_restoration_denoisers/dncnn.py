"""DnCNN: a plain chain of convolutions that predicts the noise (Zhang et al., arXiv:1608.03981).

One network with a few options covers the paper's non-blind form, the blind forms B (gray) and C
(colour) of the ObsAtk paper, and checkpoints whose batch norm was merged into the convolutions:
`dncnn_b`, `dncnn_c` and `dncnn_test` are `DnCNN` with other defaults, and take its options.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count, check_levels

LEVEL = 25 / 255  # the level, and the highest level of the blind ones, of the ObsAtk paper


class DnCNN(Denoiser):
    """``depth`` convolutions 3x3 with ReLU between them; the output is noisy - net(noisy).

    It is never told the noise level: a "non-blind" DnCNN is one trained for a single level, which
    ``sigma_range`` records. Any image size of one pixel or more; sides are zero-padded.

    Args:
        channels: Channels of the images, 1 for gray and 3 for colour.
        depth: Number of convolutions: 17 in the non-blind form, 20 in the blind ones.
        features: Channels between them.
        bias: Whether the convolutions have biases.
        batch_norm: Whether the ``depth - 2`` middle convolutions are followed by batch norm.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        depth: int = 17,
        features: int = 64,
        bias: bool = True,
        batch_norm: bool = True,
        sigma_range: Sequence[float] = (LEVEL, LEVEL),
    ) -> None:
        super().__init__()
        check_count("channels", channels)
        check_count("features", features)
        check_count("depth", depth, at_least=2)
        self.channels: int = channels
        self.sigma_range = check_levels("sigma_range", sigma_range, one=False)
        self.options: dict[str, Any] = {
            "channels": channels,
            "depth": depth,
            "features": features,
            "bias": bias,
            "batch_norm": batch_norm,
            "sigma_range": list(self.sigma_range),
        }
        layers: list[nn.Module] = [_convolution(channels, features, bias), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers.append(_convolution(features, features, bias))
            if batch_norm:
                layers.append(_batch_norm(features))
            layers.append(nn.ReLU(inplace=True))
        layers.append(_convolution(features, channels, bias))
        self.net = nn.Sequential(*layers)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        return noisy - self.net(noisy)


def _convolution(inputs: int, outputs: int, bias: bool) -> nn.Conv2d:
    """3x3, same size, Kaiming's normal initialisation and zero biases."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def _batch_norm(features: int) -> nn.BatchNorm2d:
    """Batch norm that begins with weights of N(0, 2/(9 features)) clamped to +-0.025.

    So the released code of the ObsAtk paper has it: most weights begin at one of the two ends.
    """
    norm = nn.BatchNorm2d(features)
    nn.init.normal_(norm.weight, std=math.sqrt(2 / (9 * features)))
    norm.weight.data.clamp_(-0.025, 0.025)
    return norm


# DnCNN-B: blind, gray, without biases, as the ObsAtk paper trains it (arXiv:2201.04397).
dncnn_b = functools.partial(DnCNN, depth=20, bias=False, sigma_range=(0.0, LEVEL))
# DnCNN-C: the same for colour images.
dncnn_c = functools.partial(dncnn_b, channels=3)
dncnn_test = functools.partial(dncnn_b, depth=3, features=8)
