"""BRDNet: two networks side by side, with batch renormalisation (Tian et al., 2020).

C. Tian, Y. Xu, W. Zuo: Image denoising using deep CNN with batch renormalization, Neural Networks
121 (2020), 461-473, https://doi.org/10.1016/j.neunet.2019.08.022.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork

DEPTH = 17  # convolutions of each of the two
NORMED = (1, 9, 16)  # those of the lower network that are followed by normalisation, from 1
EPS = 1e-3


class BRDNet(BlindNetwork):
    """A plain and a dilated network each restore the image; a convolution of both gives the noise.

    The upper network is DnCNN's with normalisation after sixteen convolutions; of the lower one's
    seventeen the 2nd to 8th and 10th to 15th are dilated and bare. Each takes its prediction off
    the noisy image; a last 3x3 convolution of the two results predicts what is taken off.
    1.11 M weights for gray. Any image size of one pixel or more; sides are zero-padded. It is
    never told the noise level and is trained for a single one; no weights of its authors are
    among those that this package is checked with.

    Batch renormalisation (arXiv:1702.03275) restores as batch norm does. In training the paper's
    corrects batch norm within limits that widen; the released code reads the limits once, when
    the graph is built, where they are r = 1 and d = 0, which is batch norm. So batch norm it is.

    Args:
        channels: Channels of the images, 1 for gray and 3 for colour.
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
        upper = [(True, False)] * (DEPTH - 1)
        lower = [(n in NORMED, n not in NORMED) for n in range(1, DEPTH)]
        self.upper = _network(channels, features, upper)
        self.lower = _network(channels, features, lower)
        self.last = _convolution(2 * channels, channels)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        both = torch.cat([noisy - self.upper(noisy), noisy - self.lower(noisy)], dim=1)
        return noisy - self.last(both)


def _network(channels: int, features: int, kinds: list[tuple[bool, bool]]) -> nn.Sequential:
    """Convolutions with ReLU, each normalised or not, dilated or not, and one more to an image."""
    layers: list[nn.Module] = []
    for number, (normed, dilated) in enumerate(kinds):
        inputs = features if number else channels
        layers.append(_convolution(inputs, features, dilation=2 if dilated else 1))
        if normed:
            layers.append(nn.BatchNorm2d(features, eps=EPS, momentum=0.01))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers, _convolution(features, channels))


def _convolution(inputs: int, outputs: int, dilation: int = 1) -> nn.Conv2d:
    """3x3, same size; Glorot's uniform initialisation and zero biases, as Keras begins."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
