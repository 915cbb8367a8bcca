"""Deep image prior: a network that is fitted to the noisy image alone (Ulyanov et al., 2018).

D. Ulyanov, A. Vedaldi, V. Lempitsky: Deep image prior, CVPR 2018 (arXiv:1711.10925).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count

from .alone import one_by_one, training_on_one_image

DEPTH = 32  # channels of the fixed random input
INPUT = 0.1  # its values are uniform in [0, INPUT]
JITTER = 1 / 30  # level of the noise added to it at each step
SKIP = 4  # channels of each skip connection
RATE = 0.01  # Adam's
KEPT = 0.99  # of the running average of outputs, at each step


class DeepImagePrior(Denoiser):
    """Fits an untrained network to each image, and stops before it has fitted the noise.

    The network of the paper's denoising experiment: five scales of 128 channels with skip
    connections of 4, a fixed random input with noise of 1/30 added at each step, Adam at 0.01,
    and the running average of the outputs as the result. 2,000 steps, where the attack papers stop
    it, take minutes to an hour an image. Images are restored one by one, each from the same
    beginning: the result depends on the image and the seed alone. It is blind, has no weights,
    and no gradients flow through it: attack it by transfer, or straight through.

    The released code's return to an earlier step where the fit suddenly worsens is left out.

    Args:
        steps: After how many it stops.
        features: Channels at each scale.
        scales: How many there are. Sides are padded to multiples of 2^scales by reflection; the
            padding does not count in the fit.
        seed: Of all random numbers.

    Raises:
        InputError: If an option is out of range.
    """

    differentiable = False

    def __init__(
        self, *, steps: int = 2000, features: int = 128, scales: int = 5, seed: int = 0
    ) -> None:
        super().__init__()
        self.steps = check_count("steps", steps)
        self.features = check_count("features", features)
        self.scales = check_count("scales", scales)
        self.seed = check_count("seed", seed, 0)
        self.options: dict[str, Any] = {
            "steps": self.steps,
            "features": self.features,
            "scales": self.scales,
            "seed": self.seed,
        }

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Returns:
            (N, C, H, W) in [0, 1], without gradients.

        Raises:
            InputError: If ``noisy`` has another layout.
        """
        check_layout(noisy, "noisy")
        return one_by_one(noisy, self._restore)

    def _restore(self, noisy: Tensor) -> Tensor:
        channels, height, width = noisy.shape[1:]
        step = 2**self.scales
        # Twice that at least: batch norm wants more than one pixel at the last scale.
        size = [max(2 * step, side + -side % step) for side in (height, width)]
        with training_on_one_image(self.seed, noisy.device) as generator:
            network = skip_network(channels, self.features, self.scales).to(noisy.device).train()
            entering = INPUT * torch.rand(1, DEPTH, *size, generator=generator)
            optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
            average = torch.zeros_like(noisy)
            for number in range(self.steps):
                jitter = JITTER * torch.randn(entering.shape, generator=generator)
                restored = network((entering + jitter).to(noisy.device))[..., :height, :width]
                kept = KEPT if number else 0.0
                average = kept * average + (1 - kept) * restored.detach()
                optimizer.zero_grad()
                F.mse_loss(restored, noisy).backward()
                optimizer.step()
        return average


def skip_network(channels: int, features: int = 128, scales: int = 5) -> nn.Sequential:
    """The paper's encoder-decoder with skip connections, from DEPTH channels to an image."""
    return nn.Sequential(
        Scale(DEPTH, features, scales), nn.Conv2d(features, channels, 1), nn.Sigmoid()
    )


class Scale(nn.Module):
    """One scale, with the coarser ones inside."""

    def __init__(self, inputs: int, features: int, scales: int) -> None:
        super().__init__()
        self.skip = nn.Sequential(*_unit(inputs, SKIP, 1))
        self.deeper = nn.Sequential(
            *_unit(inputs, features, 3, stride=2),
            *_unit(features, features, 3),
            *([Scale(features, features, scales - 1)] if scales > 1 else []),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )
        self.after = nn.Sequential(
            nn.BatchNorm2d(SKIP + features),
            *_unit(SKIP + features, features, 3),
            *_unit(features, features, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, features, H, W); H and W even."""
        out: Tensor = self.after(torch.cat([self.skip(x), self.deeper(x)], dim=1))
        return out


def _unit(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that mirrors at the border, batch norm, leaky ReLU."""
    convolution = nn.Conv2d(
        inputs, outputs, size, stride, padding=size // 2, padding_mode="reflect"
    )
    return [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
