"""DeamNet: unfolded iterations with attention by element (Ren et al., CVPR 2021).

C. Ren, X. He, C. Wang, Z. Zhao: Adaptive consistency prior based deep network for image
denoising, CVPR 2021, 8596-8606.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork
from .padding import padded_to_multiple

SCALES = 4  # the sub-network halves the size so often
ROUNDS = 4  # unfolded iterations
REDUCTION = 16  # how much narrower an attention is inside


class DeamNet(BlindNetwork):
    """Four unfolded iterations of one nonlinear sub-network, each pulled back to the observation.

    Features of the noisy image go through the same U-shaped sub-network (NLO) four times; after
    each a dual element-wise attention (DEAM) of its own mixes, at each feature and pixel, what
    came out with the noisy image's features. DEAM modules stand in the sub-network too, where the
    encoder's and the decoder's features meet. 1.87 M weights that are used, for gray: those that
    the released code makes and never calls (three convolutions of sizes 3 to 7, and the 1x1 after
    them, 0.35 M) are left out. Sides are padded to multiples of 16 by reflection and cropped
    after, as its authors test it. It is never told the noise level and is trained for a single
    one; no weights of its authors are among those that this package is checked with.

    Args:
        channels: Channels of the images: 1 for Gaussian noise, 3 for real noise in the paper.
        features: Channels of the features, a multiple of 16.
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
        super().__init__(
            channels=channels, features=features, sigma_range=sigma_range, reduction=REDUCTION
        )
        self.enter = _convolution(channels, features)
        self.transform = _pair(features)
        self.subnet = SubNetwork(features)
        self.attentions = nn.ModuleList(DualAttention(features) for _ in range(ROUNDS))
        self.inverse = _pair(features)
        self.leave = _convolution(features, channels)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        height, width = noisy.shape[-2:]
        entered = self.enter(padded_to_multiple(noisy, 2**SCALES))
        observed = entered + self.transform(entered)
        x = observed
        for attention in self.attentions:
            x = self.subnet(x)
            # How far to trust the observation, at each feature and pixel.
            trust = attention(observed, x)
            x = (1 - trust) * x + trust * observed
        restored: Tensor = self.leave(x + self.inverse(x))
        return restored[..., :height, :width]


class SubNetwork(nn.Module):
    """The nonlinear operator: four scales down and up, and the input added."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(Encoder(features) for _ in range(SCALES))
        self.middle = nn.Sequential(_relu(features), _relu(features))
        self.join = nn.ModuleList(Join(features) for _ in range(SCALES))
        self.up = nn.ModuleList(Decoder(features) for _ in range(SCALES))
        self.last = _convolution(features, features)

    def forward(self, features: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape; H and W multiples of 16."""
        x, kept = features, []
        for encoder in self.down:
            same, x = encoder(x)
            kept.append(same)
        x = self.middle(x)
        for join, decoder in zip(self.join, self.up, strict=True):
            x = decoder(join(kept.pop(), x), x)
        return features + self.last(x)


class Encoder(nn.Module):
    """Two convolutions, and one to half of the size."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.same = nn.Sequential(_relu(features), _relu(features))
        self.shrink = _relu(features, stride=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, features, H, W) -> the same shape, and (N, features, H/2, W/2)."""
        same = self.same(x)
        return same, self.shrink(same)


class Decoder(nn.Module):
    """Two inputs of one size and of half of it, made one."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.before = _relu(features)
        self.enlarge = _relu(features)
        self.mix = _convolution(2 * features, features, 1)
        self.after = nn.Sequential(_relu(features), _relu(features))

    def forward(self, same: Tensor, half: Tensor) -> Tensor:
        """(N, features, H, W) and (N, features, H/2, W/2) -> (N, features, H, W)."""
        enlarged = self.enlarge(F.interpolate(half, scale_factor=2))
        out: Tensor = self.after(self.mix(torch.cat([self.before(same), enlarged], dim=1)))
        return out


class DualAttention(nn.Module):
    """Weights between 0 and 1 at each feature and pixel, from two sets of features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.before = _convolution(features, features)
        self.mix = _convolution(2 * features, features, 1)
        self.weigh = nn.Sequential(
            _convolution(features, features // REDUCTION),
            nn.ReLU(inplace=True),
            _convolution(features // REDUCTION, features),
            nn.Sigmoid(),
        )

    def forward(self, weighed: Tensor, other: Tensor) -> Tensor:
        """How much ``weighed`` counts beside ``other``, both (N, features, H, W)."""
        both = torch.cat([self.before(weighed), other], dim=1)
        weights: Tensor = self.weigh(self.mix(both))
        return weights


class Join(DualAttention):
    """The encoder's features and the decoder's, of half of the size, weighed by attention."""

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.enlarge = _relu(features)

    def forward(self, weighed: Tensor, other: Tensor) -> Tensor:
        """(N, features, H, W) and (N, features, H/2, W/2) -> (N, features, H, W)."""
        enlarged = self.enlarge(F.interpolate(other, scale_factor=2))
        weight = super().forward(weighed, enlarged)
        return (1 - weight) * enlarged + weight * weighed


def _pair(features: int) -> nn.Sequential:
    """Convolution, ReLU, convolution."""
    return nn.Sequential(
        _convolution(features, features), nn.ReLU(inplace=True), _convolution(features, features)
    )


def _relu(features: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution and ReLU."""
    return nn.Sequential(_convolution(features, features, stride=stride), nn.ReLU(inplace=True))


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """Begun with Xavier's normal initialisation, as the released code is."""
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2)
    nn.init.xavier_normal_(layer.weight)
    return layer
