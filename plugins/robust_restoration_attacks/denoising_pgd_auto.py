"""Denoising-PGD's problem with adaptive steps: no step size to choose, the best iterate kept."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .large import strips
from .obsatk_auto import ObsAtkAuto
from .projections import room


class DenoisingPGDAuto(ObsAtkAuto):
    """Away from the clean image within |d|_inf <= eps, by sign steps that adapt.

    The steps, their momentum and their halving are those of `ObsAtkAuto`; the ball and the sign are
    those of denoising-PGD (arXiv:2306.16050). It starts at the noisy image.

    Args:
        model: The denoiser.
        eps: Largest change of a value, as a fraction of [0, 1].
        **options: As `ObsAtkAuto` takes them; ``pixels`` and ``zero_mean`` do nothing here.
    """

    norm = math.inf

    def radius(self, inputs: Tensor) -> Tensor:
        """The largest change of a value of each image, (N,)."""
        return self.budget(inputs).flatten()

    def direction(self, gradient: Tensor) -> Tensor:
        """The gradient's sign, in its place."""
        return gradient.sign_()

    def within(self, delta: Tensor, inputs: Tensor) -> Tensor:
        """The nearest perturbation within the ball and the range, in the place of ``delta``."""
        eps, about = self.budget(inputs).to(delta), self.about(inputs)
        torch.minimum(delta, eps, out=delta)
        torch.maximum(delta, -eps, out=delta)
        if about is not None:  # of a large image the room alone is two more of its size
            for part, there in zip(strips(delta), strips(about), strict=True):
                low, high = room(there)
                torch.minimum(part, high, out=part)
                torch.maximum(part, low, out=part)
        return delta
