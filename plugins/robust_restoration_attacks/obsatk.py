"""ObsAtk, the observation-based zero-mean L2 attack (Yan et al., arXiv:2201.04397)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .denoiser_attack import DenoiserAttack, check_steps
from .projections import lengths, project


class ObsAtk(DenoiserAttack):
    """Maximises |f(y + d) - x|^2 subject to |d|_2 <= eps sqrt(m) and mean(d) = 0 (eq. 3, Alg. 1).

    m = C H W of an image. The mean stays, so that the attacked image's noise is still unbiased.
    The step goes along the gradient normalised to length one, as in the authors' code; the paper
    prints the raw gradient.

    With ``clip="project"``, the default, all constraints and the range hold at once, by the exact
    projection onto their intersection. ``clip="paper"`` is the authors' code: noisy images are
    clamped first, then clamped before the mean is removed in each step and at the end, after which
    neither constraint need hold; Tables 1 to 4 are of it.

    Args:
        model: The denoiser.
        eps: Root mean square of the perturbation; "Atk-5/255" of the tables is ``eps=5/255``.
        steps: Gradient steps; the tables take 5, training takes 1.
        alpha: Root mean square of a step; by default 0.3 eps, and eps where there is one step.
        pixels: m of the budget, where it is not the image's own: the authors' code takes the data
            set's mean.
        zero_mean: Whether the perturbation must have a mean of 0, as the paper's has.
        **options: As `DenoiserAttack` takes them.

    Raises:
        InputError: If an option makes no sense.

    Example:
        >>> attacked = ObsAtk(denoiser, eps=5 / 255)(noisy, clean)
    """

    norm: float | None = 2.0

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Tensor = 5 / 255,
        steps: int = 5,
        alpha: float | None = None,
        pixels: int | None = None,
        zero_mean: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(model, eps=eps, **options)
        check_steps(steps, alpha)
        self.steps, self.alpha, self.pixels, self.zero_mean = steps, alpha, pixels, zero_mean
        if self.clip == "paper":
            self.norm = None  # clamped before the mean is removed, it keeps to no norm

    def radius(self, inputs: Tensor) -> Tensor:
        """The largest L2 norm of each image's perturbation, (N,)."""
        return self.budget(inputs).flatten() * self._side(inputs)

    def _side(self, inputs: Tensor) -> float:
        """sqrt(m)."""
        return (self.pixels or inputs[0].numel()) ** 0.5

    def forward(
        self, inputs: Tensor, targets: Tensor, gradient: Tensor | None = None
    ) -> Tensor:
        """The attack; see the class.

        ``gradient`` is the loss's at ``inputs``, for a caller who has it already.
        """
        start = inputs.clamp(0, 1) if self.clip == "paper" else inputs
        radius = self.radius(inputs)
        if self.alpha is None:
            step = radius * (1.0 if self.steps == 1 else 0.3)
        else:
            step = torch.full_like(radius, self.alpha * self._side(inputs))
        delta = torch.zeros_like(start)
        for number in range(self.steps):
            if number or gradient is None:
                _, gradient = self.gradient(start + delta, targets)
            delta += (gradient / lengths(gradient).clamp(min=1e-30)).mul_(step.view(-1, 1, 1, 1))
            gradient = None  # what large images do not need is not kept
            if self.clip == "paper":
                delta = (start + delta).clamp(0, 1) - start
            delta = self.within(delta, start)
        return self.add(start, delta)

    def within(self, delta: Tensor, inputs: Tensor) -> Tensor:
        """The nearest perturbation that keeps to all constraints, in the place of ``delta``."""
        radius, about, mean = self.radius(inputs), self.about(inputs), self.zero_mean
        return project(delta, radius=radius, about=about, zero_mean=mean, overwrite=True)

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """Within the budget about ``inputs``; as the authors left it with ``clip="paper"``."""
        if self.clip == "paper":
            return attacked.clamp(0, 1)
        return self.add(inputs, self.within(attacked - inputs, inputs))
