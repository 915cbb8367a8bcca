"""Jittering: more noise in training than at the test, which makes denoisers hold."""

from __future__ import annotations

import math
from typing import Any

from scipy.optimize import minimize_scalar
from torch import Generator, Tensor, nn
from torch import randn as standard_normal

from robust_restoration.contracts import Batch, Step
from robust_restoration.numbers import check_level

from .denoising import DenoisingDefense, half_mean_square


class Jitter(DenoisingDefense):
    """Minimises |f(y + w) - x|^2 / 2 with w ~ N(0, level^2 I) added to what is observed.

    Krainovic, Soltanolkotabi and Heckel (arXiv:2307.12822) show that this gives denoisers which are
    optimal in the worst case, for linear ones on a subspace exactly, and nearly so for networks,
    at the price of normal training: no inner attack. To first order it is `JacobianRegularized`.
    After training, nothing is added.

    Args:
        level: Standard deviation of w, as a fraction of [0, 1]. See `jitter_level` for the one that
            is right for linear denoisers; choose on held-out images.
        **options: As `DenoisingDefense` takes them.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(self, *, level: float = 10 / 255, **options: Any) -> None:
        super().__init__(**options)
        self.level = check_level("level", level)

    def corrupt(self, clean: Tensor, generator: Generator) -> Batch:
        """As the base class, and the ``jitter``, (B, C, H, W), of level 1."""
        batch = super().corrupt(clean, generator)
        return {**batch, "jitter": standard_normal(clean.shape, generator=generator)}

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """SSE / (2B)."""
        jittered = batch["noisy"] + self.level * batch["jitter"]
        return half_mean_square(
            self.restore(model, jittered, batch.get("sigma")), batch["clean"]
        ), {}


def worst_case_shrinkage(signal: float, noise: float, eps: float) -> float:
    """The a for which a U U^T is the linear denoiser that is best in the worst case.

    For signals x = U c of a subspace, with c ~ N(0, signal^2 I), noise ~ N(0, noise^2 I) and a
    perturbation of the observation, the worst for each, whose root mean square over the subspace's
    coordinates is ``eps``. In many dimensions, the root of the worst mean squared error is
    sqrt((1 - a)^2 signal^2 + a^2 noise^2) + a eps, which is what is minimised here.

    Args:
        signal: Standard deviation of a coordinate of the signal.
        noise: Standard deviation of the noise.
        eps: Root mean square of the perturbation.

    Returns:
        From 0 to 1; without a perturbation the Wiener filter's signal^2 / (signal^2 + noise^2).
    """

    def root(a: float) -> float:
        return math.hypot((1 - a) * signal, a * noise) + a * eps

    found = minimize_scalar(root, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-10})
    return float(found.x)


def jitter_level(signal: float, noise: float, eps: float) -> float:
    """The level of jitter with which linear training ends at `worst_case_shrinkage`.

    Jitter of level w gives a = signal^2 / (signal^2 + noise^2 + w^2); solved for w. Arguments as
    there; infinite where it is best to give nothing back.
    """
    a = worst_case_shrinkage(signal, noise, eps)
    if a < 1e-8:
        return math.inf
    return math.sqrt(max(0.0, signal**2 / a - signal**2 - noise**2))
