"""Noise2Self on one image: a network that predicts pixels from others (Batson and Royer, 2019).

J. Batson, L. Royer: Noise2Self: blind denoising by self-supervision, ICML 2019
(arXiv:1901.11365).
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
from .dncnn import DnCNN

GRID = 4  # one pixel of each GRID x GRID square is hidden at a time
RATE = 0.01  # Adam's
EVERY = 10  # steps between two looks at the pixels that are held back
# What stands in for a hidden pixel: a mean of its eight neighbours, zero outside of the image.
NEIGHBOURS = torch.tensor([[0.5, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.5]]) / 6


class Noise2Self(Denoiser):
    """Trains a network to predict hidden pixels of each image, then shows it all of them.

    The released single-image experiment: an eight-layer DnCNN that gives the image, one pixel of
    each 4x4 square hidden at a time behind a mean of its neighbours, Adam at 0.01. The sixteenth
    of the places in a square is held back; what the network made when it predicted that one best
    is the result. "N2S(1)" of the ObsAtk paper, with its 1,000 steps: minutes an image. Images are
    restored one by one, each from the same beginning: the result depends on the image and the
    seed alone. It is blind, has no weights, and no gradients flow through it: attack it by
    transfer, or straight through.

    Args:
        steps: Of training.
        depth: Convolutions of the network.
        features: Channels between them.
        seed: Of all random numbers.

    Raises:
        InputError: If an option is out of range.
    """

    differentiable = False

    def __init__(
        self, *, steps: int = 1000, depth: int = 8, features: int = 64, seed: int = 0
    ) -> None:
        super().__init__()
        self.steps = check_count("steps", steps)
        self.depth = check_count("depth", depth, 2)
        self.features = check_count("features", features)
        self.seed = check_count("seed", seed, 0)
        self.options: dict[str, Any] = {
            "steps": self.steps,
            "depth": self.depth,
            "features": self.features,
            "seed": self.seed,
        }

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Returns:
            (N, C, H, W), not clamped, without gradients.

        Raises:
            InputError: If ``noisy`` has another layout.
        """
        check_layout(noisy, "noisy")
        return one_by_one(noisy, self._restore)

    def _restore(self, noisy: Tensor) -> Tensor:
        height, width = noisy.shape[-2:]
        # At least one whole square.
        missing = (0, max(0, GRID - width), 0, max(0, GRID - height))
        image = F.pad(noisy, missing, mode="replicate")
        channels, last = image.shape[1], GRID**2 - 1
        with training_on_one_image(self.seed, noisy.device):
            options = {"depth": self.depth, "features": self.features, "bias": False}
            network = DnCNN(channels=channels, **options).net  # type: ignore[arg-type]
            for layer in network:
                if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
                    layer.reset_parameters()  # begins as torch has it
            network = network.to(noisy.device)
            optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
            least, restored = float("inf"), image
            for step in range(self.steps):
                optimizer.zero_grad()
                hidden_loss(network.train(), image, step % last).backward()
                optimizer.step()
                if step % EVERY == 0 or step == self.steps - 1:
                    with torch.no_grad():
                        loss = float(hidden_loss(network.eval(), image, last))
                        if loss < least:
                            least, restored = loss, network(image)
        return restored[..., :height, :width].detach()


def hidden_loss(network: nn.Module, image: Tensor, place: int) -> Tensor:
    """The mean squared error at the pixels of one place in their squares, which are hidden."""
    masked, mask = hide(image, place)
    return F.mse_loss(network(masked) * mask, image * mask)


def hide(image: Tensor, place: int) -> tuple[Tensor, Tensor]:
    """The image with one pixel of each square replaced, and which: ``place`` from 0 to 15."""
    height, width = image.shape[-2:]
    rows = torch.arange(height, device=image.device) % GRID == place % GRID
    columns = torch.arange(width, device=image.device) % GRID == place // GRID
    mask = (rows[:, None] & columns).to(image.dtype)
    channels = image.shape[1]
    kernel = NEIGHBOURS.to(image).expand(channels, 1, 3, 3)
    around = F.conv2d(image, kernel, padding=1, groups=channels)
    return torch.lerp(image, around, mask), mask
