"""Gaussian noise at some values only."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from robust_restoration.degradations.draws import Draw, like, normal, uniform
from robust_restoration.degradations.gaussian import draw_level
from robust_restoration.degradations.noise import Noise
from robust_restoration.numbers import check_fraction, check_levels


@dataclass(frozen=True)
class Impulse(Noise):
    """Gaussian noise at some values only: each pixel and channel by itself has it or not.

    Args:
        sigma: The standard deviation where there is noise; (low, high) draws it uniformly for each
            image, as the released code of the report on Noise2Noise and DAG does with (0, 50/255).
        probability: How likely a value has it.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    sigma: float | tuple[float, float]
    probability: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_levels("sigma", self.sigma)
        check_fraction("probability", self.probability)

    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """The image plus noise at some of its values."""
        noise = draw_level(self.sigma, draw) * normal(draw, image)
        return image + like(image, noise * (uniform(draw, image) < self.probability)), {}
