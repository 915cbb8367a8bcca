"""White Gaussian noise of one of several levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from robust_restoration.degradations.draws import Draw, like, normal
from robust_restoration.degradations.noise import Noise
from robust_restoration.errors import InputError
from robust_restoration.numbers import check_level, is_number


@dataclass(frozen=True)
class MixedLevels(Noise):
    """White Gaussian noise of one of several levels, chosen for each image.

    It is given as ``sigma``, the level of each image, (N,).

    Args:
        sigmas: The levels, such as (25/255, 26/255).
        proportions: How often each is chosen, scaled to add up to 1; by default equally often.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    sigmas: Sequence[float]
    proportions: Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.sigmas, Sequence) or not self.sigmas:
            raise InputError(f"sigmas is {self.sigmas!r}; expected levels, such as (0.1, 0.2).")
        for sigma in self.sigmas:
            check_level("sigmas", sigma)
        shares = self._shares()
        fit = isinstance(shares, Sequence) and len(shares) == len(self.sigmas)
        if not (fit and all(is_number(s) and s >= 0 for s in shares) and sum(shares) > 0):
            raise InputError(
                f"proportions is {self.proportions!r}; expected {len(self.sigmas)} numbers of 0 or "
                "more, one a level, not all 0."
            )

    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """The image plus noise."""
        shares = np.array(self._shares())
        sigma = self.sigmas[draw.choice(len(shares), p=shares / shares.sum())]
        return image + like(image, sigma * normal(draw, image)), {"sigma": sigma}

    def _shares(self) -> Sequence[float]:
        return [1.0] * len(self.sigmas) if self.proportions is None else self.proportions
