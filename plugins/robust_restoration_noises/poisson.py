"""Shot noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from robust_restoration.degradations.draws import Draw, like
from robust_restoration.degradations.noise import Noise
from robust_restoration.errors import InputError
from robust_restoration.numbers import check_positive

MOST = 1e9  # photons: beyond it, counts are not exact
LAWS = ("paper", "released")


@dataclass(frozen=True)
class Poisson(Noise):
    """Shot noise: Poisson(photons * x) / photons.

    Args:
        photons: Photons at a value of 1; above 0, the fewer the noisier.
        dispersion: With it, an image's photons are drawn from a negative binomial distribution,
            at least 1; the report on Noise2Noise and DAG takes 500 photons and 75. Without it, all
            images have ``photons``.
        photons_law: Which distribution that is, of mean m = ``photons`` and with d =
            ``dispersion``. ``"paper"``: of variance m + m^2 / d, as the report's section 3.2.2
            says; ``"released"``: d / m times NB(m / d, 1 / m), which is what the report's code
            draws, of variance about d m (a standard deviation of 193 instead of 62 at 500 and 75).
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range, or images have values below 0.
    """

    photons: float
    dispersion: float | None = None
    photons_law: str = "paper"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("photons", self.photons, at_most=MOST)
        if self.dispersion is not None:
            check_positive("dispersion", self.dispersion, at_most=MOST)
        if self.photons_law not in LAWS:
            raise InputError(
                f"photons_law is {self.photons_law!r}; expected {' or '.join(map(repr, LAWS))}."
            )
        if self.photons_law == "released":
            if self.dispersion is None:
                raise InputError("photons_law='released' draws photons: give dispersion, say 75.")
            if self.photons <= 1:
                raise InputError(
                    f"photons is {self.photons:g}; expected more than 1 with "
                    "photons_law='released'."
                )

    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """The image's photon counts, scaled back."""
        values = image.detach().double().cpu().numpy()
        if not (np.isfinite(values) & (values >= 0)).all():
            raise InputError(
                "images have values below 0, NaN or infinite; shot noise expects [0, 1]: "
                "images.clamp(0, 1) cuts off what is outside."
            )
        photons = self._photons(draw)
        return like(image, draw.poisson(values * photons) / photons), {}

    def _photons(self, draw: Draw) -> float:
        if self.dispersion is None:
            return self.photons
        if self.photons_law == "released":
            scale = self.dispersion / self.photons
            return max(1.0, scale * draw.negative_binomial(1 / scale, 1 / self.photons))
        share = self.dispersion / (self.dispersion + self.photons)
        return max(1, int(draw.negative_binomial(self.dispersion, share)))
