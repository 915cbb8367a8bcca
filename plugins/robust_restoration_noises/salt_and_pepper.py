"""Pixels that become black or white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robust_restoration.degradations.draws import Draw, like
from robust_restoration.degradations.noise import Noise
from robust_restoration.numbers import check_fraction, check_range

from .pixels import chosen_pixels


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """Some pixels, all their channels together, become dark or bright, each equally likely.

    Args:
        share: The share of pixels, 0 to 1, rounded to whole pixels.
        values: Pepper's and salt's value: 0 and 1; the released code of the report on Noise2Noise
            and DAG has 0.05 and 0.95.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    share: float
    values: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("share", self.share)
        check_range("values", self.values)

    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """The image with some pixels dark or bright."""
        chosen = chosen_pixels(draw, self.share, image)
        bright = draw.integers(0, 2, size=(1, *image.shape[1:]))
        grains = np.asarray(self.values, dtype=np.float32)[bright]
        return torch.where(chosen, like(image, grains), image), {}
