"""Anisotropic diffusion (Perona and Malik, IEEE PAMI 12 (1990), 629-639)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count, check_positive

from .sigma import sigma_per_image

RATE = 0.25  # lambda of equation 7: the largest that is stable for four neighbours


class PeronaMalik(Denoiser):
    """Diffuses within regions and not across edges, until as much was removed as there is noise.

    Each step adds 1/4 of the sum over the four neighbours of c(d) d, with d the difference to a
    neighbour and c(d) = exp(-(d/K)^2) (equations 7 to 10; the first of its two functions), nothing
    across the border. K is ``contrast`` times the noise level;
    an image is done when its mean squared change is sigma^2, or after ``steps``. Channels are
    diffused by themselves. Gradients flow through it; the step at which it ends carries none.

    Args:
        contrast: K as a multiple of the noise level.
        steps: The most it may take.

    Raises:
        InputError: If an option is out of range.
    """

    blind = False

    def __init__(self, *, contrast: float = 2.0, steps: int = 100) -> None:
        super().__init__()
        self.contrast = check_positive("contrast", contrast, "a multiple of the noise level")
        self.steps = check_count("steps", steps)
        self.options: dict[str, Any] = {"contrast": self.contrast, "steps": self.steps}

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``.

        Args:
            noisy: (N, C, H, W).
            sigma: Noise level as a fraction of the range, a float or (N,).

        Returns:
            (N, C, H, W), not clamped.

        Raises:
            InputError: If ``sigma`` is missing or no level, or ``noisy`` of another layout.
        """
        check_layout(noisy, "noisy")
        levels = sigma_per_image(sigma, noisy, denoiser="PeronaMalik")[:, None, None, None]
        edge = (self.contrast * levels).clamp(min=torch.finfo(noisy.dtype).tiny ** 0.5)
        images = noisy
        for _ in range(self.steps):
            removed = (images.detach() - noisy.detach()).square().mean(dim=(1, 2, 3), keepdim=True)
            going = removed < levels.square()
            if not going.any():
                break
            images = torch.where(going, images + RATE * _flow(images, edge), images)
        return images


def _flow(images: Tensor, edge: Tensor) -> Tensor:
    """What flows to each pixel from its four neighbours."""
    total = torch.zeros_like(images)
    for axis, after in ((-2, (0, 0, 0, 1)), (-1, (0, 1))):
        before = (0, 0, 1, 0) if axis == -2 else (1, 0)
        slope = images.diff(dim=axis)
        flow = slope * (-(slope / edge).square()).exp()
        total = total + F.pad(flow, after) - F.pad(flow, before)
    return total
