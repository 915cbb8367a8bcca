"""The dense adversary for denoisers: a near-clean image that comes out looking noisy."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError

from .denoiser_attack import DenoiserAttack
from .projections import lengths


class DAG(DenoiserAttack):
    """Dense adversary generation (Xie et al., arXiv:1703.08603) as it was brought to denoisers.

    It starts at the *clean* image x and adds r until the denoiser's output is the noisy image L_a
    everywhere: T = pixels where sum_c |f(x + r) - L_a| >= ``threshold``; r gains ``gamma`` times
    the normalised gradient of sum T f (L_a - L_c), masked by T; it stops, image by image, where T
    is empty or the gradient 0, and after ``steps``. Results are clamped to [0, 1].

    There is no budget: the size of r is a result, such as the PSNR ratio
    PSNR(f(noisy)) / PSNR(f(attacked)) is.

    Args:
        model: The denoiser.
        steps: Largest number of iterations.
        gamma: Length of a step, in the norm below.
        threshold: When a pixel counts as reached; 0.04.
        norm: In which norm the gradient is normalised: ``"linf"`` (the report) or ``"l2"`` (the
            authors' code).
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
        norm: str = "linf",
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
        del self.eps  # there is no budget
        if steps < 1 or gamma <= 0 or threshold < 0:
            raise InputError(
                f"steps is {steps}, gamma {gamma} and threshold {threshold}; expected at least one "
                "step, gamma above 0 and a threshold of at least 0."
            )
        if norm not in ("linf", "l2"):
            raise InputError(f"norm is {norm!r}; expected 'linf' or 'l2'.")
        self.steps, self.gamma, self.threshold, self.norm = steps, gamma, threshold, norm

    def forward(self, inputs: Tensor, targets: Tensor, index: int = 0) -> Tensor:
        """The attack; see the class."""
        attacked = targets.clamp(0, 1)
        expected = inputs - targets
        for _ in range(self.steps):
            images = attacked.detach().requires_grad_()
            restored = self.output(images)
            missed = (restored - inputs).abs().sum(1, keepdim=True) >= self.threshold
            if not bool(missed.any()):
                break
            (gradient,) = torch.autograd.grad((missed * restored * expected).sum(), images)
            gradient = gradient * missed
            if self.norm == "l2":
                size = lengths(gradient)
            else:
                size = gradient.abs().flatten(1).amax(1).view(-1, 1, 1, 1)
            if not bool((size > 0).any()):
                break
            attacked = (attacked + self.gamma * gradient / size.clamp(min=1e-30)).clamp(0, 1)
        return attacked

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """Within [0, 1]."""
        return attacked.clamp(0, 1)
