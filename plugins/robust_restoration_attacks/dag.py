"""The dense adversary for denoisers: a near-clean image that comes out looking noisy."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count, check_level, check_positive

from .denoiser_attack import DenoiserAttack
from .projections import lengths


class DAG(DenoiserAttack):
    """Dense adversary generation (Xie et al., arXiv:1703.08603) as it was brought to denoisers.

    It starts at the *clean* image x and adds r until the denoiser's output is the noisy image L_a
    everywhere: T = pixels where sum_c |f(x + r) - L_a| >= ``threshold``; r gains ``gamma`` times
    the normalised gradient of sum T f (L_a - L_c), masked by T; it stops, image by image, where T
    is empty or the gradient 0, and after ``steps``. r stays in [-1, 1] and images in [0, 1].

    There is no budget: the size of r is a result, such as the PSNR ratio
    PSNR(f(noisy)) / PSNR(f(attacked)) is.

    Args:
        model: The denoiser.
        steps: Largest number of iterations.
        gamma: Length of a step, in the norm below.
        threshold: When a pixel counts as reached; 0.04.
        norm: How the gradient is normalised: ``"l2"``, by its L2 norm before it is masked (the
            authors' code, whose figures the report shows), or ``"linf"``, by its largest value
            after (the report's text).
        sigma: The noise level that the denoiser is told.
        surrogate: As in `DenoiserAttack`.
        autocast: As in `DenoiserAttack`.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        steps: int = 40,
        gamma: float = 0.1,
        threshold: float = 0.04,
        norm: str = "l2",
        sigma: float | Tensor | None = None,
        surrogate: nn.Module | None = None,
        autocast: str | None = None,
    ) -> None:
        super().__init__(
            model,
            eps=1.0,
            sigma=sigma,
            clip="paper",
            surrogate=surrogate,
            autocast=autocast,
        )
        self.eps = None  # there is no budget
        check_count("steps", steps)
        check_positive("gamma", gamma)
        check_level("threshold", threshold, highest=math.inf)
        if norm not in ("linf", "l2"):
            raise InputError(f"norm is {norm!r}; expected 'linf' or 'l2'.")
        self.steps, self.gamma, self.threshold, self.scale = steps, gamma, threshold, norm

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The attack; see the class."""
        start, expected = targets.clamp(0, 1), inputs - targets
        attacked, added = start, torch.zeros_like(start)
        for _ in range(self.steps):
            images = attacked.detach().requires_grad_()
            restored = self.output(images)
            missed = (restored - inputs).abs().sum(1, keepdim=True) >= self.threshold
            if not bool(missed.any()):
                break
            gradient = self.derivative((missed * restored * expected).sum(), images)
            if self.scale == "l2":
                along = missed * gradient / lengths(gradient).clamp(min=1e-30)
            else:
                gradient = missed * gradient
                largest = gradient.abs().flatten(1).amax(1).view(-1, 1, 1, 1)
                along = gradient / largest.clamp(min=1e-30)
            if not bool(along.any()):
                break
            added = (added + self.gamma * along).clamp(-1, 1)
            attacked = (start + added).clamp(0, 1)
        return attacked
