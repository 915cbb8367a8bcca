"""DGUNet: unfolded proximal gradient steps with learned gradients (Mou et al., CVPR 2022).

C. Mou, Q. Wang, J. Zhang: Deep generalized unfolding networks for image restoration, CVPR 2022,
17399-17410, arXiv:2204.13348.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork
from .padding import padded_to_multiple

SCALES = 4
SHARED = 5  # stages with the same weights, between the first and the last
REDUCTION = 4  # how much narrower a channel attention is inside
INSIDE = 64  # channels inside a learned degradation
SUBSPACE = 16  # dimensions that features of the stage before are projected on
EXTRA = 32  # channels that the last stage has beyond the others
TINY = 1e-6
RIDGE = 1e-10  # keeps the projection defined where features are linearly dependent


class DGUNet(BlindNetwork):
    """Seven stages: each a learned gradient step, and a U-Net that takes what the last one found.

    A gradient step is x - r B(A(x) - y) with two small residual networks A and B and a learned
    step r. U-Nets of four scales are fed the features of the stage before, within the encoder and,
    projected on a subspace of 16 dimensions, before it; half of the encoder's features are
    normalised by image. Stages two to six have the same weights, and the last has no U-Net. Of the
    two published networks this is DGUNet; DGUNet+ has weights for every stage. As in the released
    code, one slope of PReLU is shared by all degradations, one by the shared stages and one by the
    others. 17.2 M weights that are used; those that the code makes and never calls are left out.
    The projection is computed in float64, where the code fails for flat images. Sides are padded to
    multiples of 16 by reflection and cropped after. It is blind; no weights of its authors are
    among those that this package is checked with.

    Args:
        channels: Channels of the images, 3 in the paper.
        features: Channels at the first scale, a multiple of 4; each further one has three fifths
            of that more.
        sigma_range: The lowest and highest level it is trained for; the paper's is real noise.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        features: int = 80,
        sigma_range: Sequence[float] = (0.0, 50 / 255),
    ) -> None:
        super().__init__(
            channels=channels, features=features, sigma_range=sigma_range, reduction=REDUCTION
        )
        slope, common, own = (nn.PReLU() for _ in range(3))
        self.step = GradientStep(channels, slope)
        self.enter = _enter(channels, features, own)
        self.unet = UNet(channels, features)
        self.shared = Stage(channels, features, slope, common)
        self.last_step = GradientStep(channels, slope)
        self.last_enter = _enter(channels, features, own)
        self.mix = _plain(2 * features, features + EXTRA)
        self.tail = _plain(features + EXTRA, channels)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        height, width = noisy.shape[-2:]
        observed = padded_to_multiple(noisy, 2**SCALES)  # twice the least that a U-Net takes
        image = self.step(observed, observed)
        image, kept, down, up = self.unet(image, self.enter(image))
        for _ in range(SHARED):
            image, kept, down, up = self.shared(observed, image, kept, down, up)
        entered = self.last_enter(self.last_step(image, observed))
        restored: Tensor = observed + self.tail(self.mix(torch.cat([entered, kept], dim=1)))
        return restored[..., :height, :width]


class Stage(nn.Module):
    """A gradient step and a U-Net, told what the stage before found."""

    def __init__(self, channels: int, features: int, slope: nn.PReLU, own: nn.PReLU) -> None:
        super().__init__()
        self.step = GradientStep(channels, slope)
        self.enter = _enter(channels, features, own)
        self.merge = Merge(features)
        self.unet = UNet(channels, features, follows=True)

    def forward(
        self, observed: Tensor, image: Tensor, kept: Tensor, down: list[Tensor], up: list[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """The image, features to keep, and the features of encoder and decoder, all made anew."""
        image = self.step(image, observed)
        found: tuple[Tensor, Tensor, list[Tensor], list[Tensor]] = self.unet(
            image, self.merge(self.enter(image), kept), down, up
        )
        return found


class GradientStep(nn.Module):
    """x - r B(A(x) - y): A is the learned degradation, B what its adjoint would be."""

    def __init__(self, channels: int, slope: nn.PReLU) -> None:
        super().__init__()
        self.degrade, self.adjoint = (
            nn.Sequential(
                nn.Conv2d(channels, INSIDE, 3, padding=1), slope,
                nn.Conv2d(INSIDE, channels, 3, padding=1),
            )
            for _ in range(2)
        )
        self.length = nn.Parameter(torch.tensor([0.5]))

    def forward(self, image: Tensor, observed: Tensor) -> Tensor:
        """(N, C, H, W) twice -> the same shape."""
        missed = image + self.degrade(image) - observed
        return image - self.length * (missed + self.adjoint(missed))


class ChannelAttention(nn.Module):
    """Two convolutions, weighed by channel; the input added."""

    def __init__(self, features: int, slope: nn.PReLU) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _plain(features, features), slope, _plain(features, features)
        )
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            _plain(features, features // REDUCTION, 1),
            nn.ReLU(),
            _plain(features // REDUCTION, features, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        found = self.body(x)
        out: Tensor = x + found * self.weigh(found)
        return out


class Merge(nn.Module):
    """Features with those of the stage before, which are projected on a subspace found in both."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.subspace = nn.Conv2d(2 * features, SUBSPACE, 3, padding=1)
        self.mix = nn.Conv2d(2 * features, features, 3, padding=1)

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        """(N, features, H, W) twice -> the same shape."""
        basis = self.subspace(torch.cat([x, kept], dim=1)).flatten(2)
        basis = (basis / (TINY + basis.abs().sum(2, keepdim=True))).double()  # (N, 16, HW)
        gram = basis @ basis.mT
        scale = gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        ridge = (RIDGE * scale + TINY**4) * torch.eye(
            SUBSPACE, dtype=gram.dtype, device=gram.device
        )
        seen = basis @ kept.flatten(2).mT.double()
        projected = (basis.mT @ torch.linalg.solve(gram + ridge, seen)).mT.to(kept.dtype)
        out: Tensor = x + self.mix(torch.cat([x, projected.view_as(kept)], dim=1))
        return out


class UNet(nn.Module):
    """Four scales, and features and an image of what comes out."""

    def __init__(self, channels: int, features: int, *, follows: bool = False) -> None:
        super().__init__()
        more = 2 * (features * 3 // 10)  # even, as half of the features are normalised
        widths = [features + more * scale for scale in range(SCALES)]
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(Block(*pair, normed=True, follows=follows) for pair in pairs)
        self.shrink = nn.ModuleList(
            nn.Conv2d(wide, wide, 4, stride=2, padding=1, bias=False) for _, wide in pairs
        )
        self.bottom = Block(widths[-1], widths[-1], normed=True)
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, 2, stride=2) for narrow, wide in reversed(pairs)
        )
        self.skip = nn.ModuleList(
            nn.Conv2d(wide, narrow, 3, padding=1) for narrow, wide in reversed(pairs)
        )
        self.up = nn.ModuleList(Block(2 * narrow, narrow) for narrow, _ in reversed(pairs))
        self.keep = _plain(features, features, 1)
        self.leave = _plain(features, channels, 1)

    def forward(
        self,
        image: Tensor,
        x: Tensor,
        down: Sequence[Tensor | None] = (None,) * (SCALES - 1),
        up: Sequence[Tensor | None] = (None,) * (SCALES - 1),
    ) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """The image made anew, features for the next stage, and those of encoder and decoder.

        Args:
            image: (N, C, H, W), H and W multiples of 8 above 8.
            x: (N, features, H, W).
            down: The encoder's features in the stage before, finest first.
            up: The decoder's, finest last.
        """
        here, ways = [], []
        for block, shrink, encoded, decoded in zip(
            self.down, self.shrink, down, reversed(up), strict=True
        ):
            here.append(block(x, encoded, decoded))
            x = shrink(here[-1])
        x = self.bottom(x)
        for enlarge, skip, block, same in zip(
            self.enlarge, self.skip, self.up, reversed(here), strict=True
        ):
            x = block(torch.cat([enlarge(x), skip(same)], dim=1))
            ways.append(x)
        return image + self.leave(x), x + self.keep(x), here, ways


class Block(nn.Module):
    """Two convolutions and a 1x1 one beside them; modulated by the stage before, if it follows."""

    def __init__(
        self, inputs: int, outputs: int, *, normed: bool = False, follows: bool = False
    ) -> None:
        super().__init__()
        self.beside = nn.Conv2d(inputs, outputs, 1)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.InstanceNorm2d(outputs // 2, affine=True) if normed else None
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        if follows:
            self.encoded = nn.Conv2d(outputs, outputs, 3, padding=1)
            self.decoded = nn.Conv2d(inputs, outputs, 3, padding=1)
            self.scale = nn.Conv2d(outputs, outputs, 3, padding=1)
            self.shift = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(
        self, x: Tensor, encoded: Tensor | None = None, decoded: Tensor | None = None
    ) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        out = self.first(x)
        if self.norm is not None:
            normed, bare = out.chunk(2, dim=1)
            out = torch.cat([self.norm(normed), bare], dim=1)
        out = F.leaky_relu(self.second(F.leaky_relu(out, 0.2)), 0.2) + self.beside(x)
        if encoded is not None and decoded is not None:
            before = F.leaky_relu(self.encoded(encoded) + self.decoded(decoded), 0.1)
            out = out + out * self.scale(before).sigmoid() + self.shift(before)
        return out


def _enter(channels: int, features: int, slope: nn.PReLU) -> nn.Sequential:
    """An image's first features."""
    return nn.Sequential(_plain(channels, features), ChannelAttention(features, slope))


def _plain(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    """Without biases, same size."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
