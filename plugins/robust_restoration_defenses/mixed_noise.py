"""Training on Gaussian noise of several fixed levels, the control of typical-set training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from robust_restoration.degradations.names import create_noise

from .standard import Standard


class MixedNoise(Standard):
    """Standard training in which each image's noise has one of several levels.

    The typical-set paper's ablation: 25/255 and 25.5/255, or 26/255, 1 : 1. Since typical-set noise
    is somewhat longer than Gaussian noise, this tells whether that is all there is to it.

    Args:
        levels: The levels.
        proportions: How often each is drawn; equally often by default.
        **options: As `DenoisingDefense` takes them, but for ``noise`` and ``sigma``.
    """

    def __init__(
        self,
        *,
        levels: Sequence[float] = (25 / 255, 26 / 255),
        proportions: Sequence[float] | None = None,
        **options: Any,
    ) -> None:
        noise = create_noise(
            "mixed_levels", tuple(levels), proportions and tuple(proportions)
        )
        super().__init__(noise=noise, sigma=(min(levels), max(levels)), **options)
