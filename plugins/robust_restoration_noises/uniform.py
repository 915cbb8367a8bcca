"""White uniform noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from robust_restoration.degradations.draws import Draw, like, uniform
from robust_restoration.degradations.noise import Noise
from robust_restoration.numbers import check_level


@dataclass(frozen=True)
class Uniform(Noise):
    """White noise, uniform between -sqrt(3) sigma and sqrt(3) sigma (ObsAtk paper, section 3.2).

    It is given as ``sigma``.

    Args:
        sigma: Its standard deviation.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    sigma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level("sigma", self.sigma)

    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """The image plus noise."""
        noise = (2 * uniform(draw, image) - 1) * (math.sqrt(3) * self.sigma)
        return image + like(image, noise), {"sigma": self.sigma}
