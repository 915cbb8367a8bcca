"""Plug and play with a deep denoiser prior: DPIR (Zhang et al., arXiv:2008.13751)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.models.create import create_denoiser
from robust_restoration.numbers import check_count, check_level, check_positive

from .sigma import sigma_per_image

LEAST = 0.1 / 255  # the last level where the noise is less


class PlugAndPlay(Denoiser):
    """Half-quadratic splitting around a denoiser, such as ``create_denoiser("dpir:ffdnet")``.

    Alternately x = (y + a z) / (1 + a), the closed form of the data term where nothing but noise
    was done to the image, and z = denoiser(x, s), which begins with z = y. The levels s fall
    evenly on a logarithmic scale from ``start`` to the noise's own, and a = lam sigma^2 / s^2
    (section 4.2, with the paper's lam = 0.23 and start 49/255). One step, the default, is the
    denoiser itself: so DPIR's authors remove Gaussian noise, and so the attack papers' rows for
    DPIR, whose figures are DRUNet's, must have it. DRUNet comes as ``dpir:deepinv:drunet`` or,
    from a file of its weights, ``dpir:spandrel:FILE``.

    Args:
        denoiser: The denoiser's name, or one itself; one that is told the noise level.
        steps: How often, 1 or more; the paper takes 8 for deblurring and 24 for super-resolution.
        start: The first level, as a fraction of the range, used where the noise is less.
        lam: The weight of the prior.
        weights: The denoiser's weights, where it is given by name.
        **options: Passed to the denoiser, where it is given by name.

    Raises:
        InputError: If the denoiser is blind, so that it cannot be told a level, or an option is
            out of range.
        UnknownNameError: If there is no denoiser of that name.
        WeightsError: If there are no such weights.
    """

    blind = False

    def __init__(
        self,
        denoiser: str | Denoiser,
        *,
        steps: int = 1,
        start: float = 49 / 255,
        lam: float = 0.23,
        weights: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.steps = check_count("steps", steps)
        self.lam = check_positive("lam", lam, "the weight of the prior")
        check_positive("start", start, "a fraction of [0, 1], such as 49/255")
        self.start = check_level("start", start)
        if isinstance(denoiser, str):
            self.trained = weights is not None
            denoiser = create_denoiser(denoiser, weights=weights, **options).eval()
        elif weights is not None or options:
            raise InputError(
                "weights or options came with a module; they go with a denoiser's name. Set them "
                "on the module itself."
            )
        if not isinstance(denoiser, Denoiser) or denoiser.blind:
            raise InputError(
                f"{type(denoiser).__name__} cannot be told a noise level, and plug and play tells "
                "one at each step; take one that can be told it, such as 'ffdnet'."
            )
        self.denoiser = denoiser
        self.trained = getattr(self, "trained", True) or denoiser.trained
        self.channels = denoiser.channels
        self.sigma_range = denoiser.sigma_range
        self.differentiable = denoiser.differentiable
        self.options: dict[str, Any] = {
            **getattr(denoiser, "options", options),
            "steps": steps,
            "start": self.start,
            "lam": self.lam,
        }

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
        check_layout(noisy, "noisy", self.channels, self)
        noise = sigma_per_image(sigma, noisy, denoiser="plug and play")
        last = noise.clamp(min=LEAST)
        first = last.clamp(min=self.start)
        restored = noisy
        for step in range(1, self.steps + 1):
            part = (step - 1) / (self.steps - 1) if self.steps > 1 else 1.0
            level = (1 - part) * first.log() + part * last.log()
            level = level.exp() if part < 1 else torch.where(noise < LEAST, last, noise)
            weight = (self.lam * (noise / level).square())[:, None, None, None]
            mixed = (noisy + weight * restored) / (1 + weight) if step > 1 else noisy
            restored = self.denoiser(mixed, level)
        return restored
