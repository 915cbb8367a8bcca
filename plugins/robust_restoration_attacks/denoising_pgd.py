"""Denoising-PGD, the L-infinity attack on denoisers (Ning et al.), and FGSM as its one step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError

from .denoiser_attack import DenoiserAttack, check_steps


class DenoisingPGD(DenoiserAttack):
    """Sign-gradient PGD on the noisy image, |d|_inf <= eps, from a uniform random start.

    Args:
        model: The denoiser.
        eps: Largest change of a value; the paper takes 3/255 (0.012), and 0.055 for colour.
        steps: Gradient steps.
        alpha: A step; by default eps / steps with ``target="clean"`` (the paper), and 2/255 with
            ``target="noisy"`` (the authors' code).
        target: ``"clean"``: away from the clean image, MSE(f(y'), x) is maximised (the paper's
            eq. 2); ``"noisy"``: towards the noisy one, MSE(f(y'), y) is minimised, for which no
            clean image is looked at (the authors' code, which Tables I and II match).
        random_start: Begin at a uniform draw within the budget.
        clip: As in `DenoiserAttack`; the paper clamps, ``"paper"``. On images with noise that
            leaves [0, 1], the clamp by itself costs a blind DnCNN more than a decibel.
        **options: As `DenoiserAttack` takes them.

    Raises:
        InputError: If an option makes no sense.

    Example:
        >>> attacked = DenoisingPGD(denoiser, eps=3 / 255)(noisy, clean)
    """

    norm = math.inf

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Tensor = 3 / 255,
        steps: int = 5,
        alpha: float | None = None,
        target: str = "clean",
        random_start: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(model, eps=eps, **options)
        check_steps(steps, alpha)
        if target not in ("clean", "noisy"):
            raise InputError(f"target is {target!r}; expected 'clean' or 'noisy'.")
        if target == "noisy" and self.loss is not None:
            raise InputError("target='noisy' has a loss of its own; give target or loss, not both.")
        self.steps, self.alpha, self.target = steps, alpha, target
        self.random = random_start

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The attack; see the class."""
        away = self.target == "clean"
        eps = self.budget(inputs)
        step = eps / self.steps if self.alpha is None and away else self.alpha or 2 / 255
        expected = targets if away else inputs
        # Nothing that large images do not need is kept.
        if self.random:
            moved = torch.rand_like(inputs).mul_(2).sub_(1).mul_(eps)
        else:
            moved = 0 * inputs
        attacked = self.add(inputs, moved)
        del moved
        for _ in range(self.steps):
            _, gradient = self.gradient(attacked, expected)
            moved = gradient.sign()
            del gradient
            moved.mul_(step if away else -step).add_(attacked)
            del attacked
            attacked = self.add(inputs, moved.sub_(inputs).clamp_(-eps, eps))
            del moved
        return attacked


class FGSM(DenoisingPGD):
    """One sign-gradient step of length eps away from the clean image (arXiv:1412.6572).

    Args:
        model: The denoiser.
        eps: Largest change of a value.
        **options: As `DenoiserAttack` takes them.
    """

    def __init__(self, model: nn.Module, *, eps: float | Tensor = 3 / 255, **options: Any) -> None:
        super().__init__(model, eps=eps, steps=1, random_start=False, **options)
