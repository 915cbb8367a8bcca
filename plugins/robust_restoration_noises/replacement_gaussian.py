"""Pixels replaced by Gaussian values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robust_restoration.degradations.draws import Draw, like, normal
from robust_restoration.degradations.noise import Noise
from robust_restoration.numbers import check_fraction, check_level

from .pixels import chosen_pixels


@dataclass(frozen=True)
class ReplacementGaussian(Noise):
    """Some pixels, all their channels, are replaced by Gaussian values.

    The report on Noise2Noise and DAG (section 2.3.1) clamps them, which ``clip=(0, 1)`` does.

    Args:
        share: The share of pixels, 0 to 1, rounded to whole pixels.
        mean: The mean of the new values.
        sigma: Their standard deviation.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    share: float
    mean: float = 0.5
    sigma: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("share", self.share)
        check_level("mean", self.mean)
        check_level("sigma", self.sigma)

    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """The image with some pixels replaced."""
        chosen = chosen_pixels(draw, self.share, image)
        values = self.mean + self.sigma * normal(draw, image)
        return torch.where(chosen, like(image, values), image), {}
