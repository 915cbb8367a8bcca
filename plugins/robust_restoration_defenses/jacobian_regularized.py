"""Training that keeps a denoiser's Jacobian small, so that small changes stay small."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch, Step
from robust_restoration.numbers import check_level

from .denoising import DenoisingDefense, half_mean_square


class JacobianRegularized(DenoisingDefense):
    """Minimises (|f(y) - x|^2 + level^2 |J|_F^2) / 2, J the Jacobian of f at y.

    One of the two ways to worst-case robust denoisers without inner attacks that Krainovic,
    Soltanolkotabi and Heckel (arXiv:2307.12822) study. |J|_F^2 is estimated by |J^T v|^2 with one
    v ~ N(0, I) an image, whose mean it is (Hutchinson). For a linear f this is `Jitter` of the same
    level, exactly; for others to first order. A step costs a second backward pass.

    Where there is batch norm in training mode, the images of a batch depend on each other, and the
    gradient of all of them is taken.

    Args:
        level: Root of the Jacobian's weight, as a fraction of [0, 1]; as much as `Jitter`'s level.
        **options: As `DenoisingDefense` takes them.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(self, *, level: float = 10 / 255, **options: Any) -> None:
        super().__init__(**options)
        self.level = check_level("level", level)

    def corrupt(self, clean: Tensor, generator: Generator) -> Batch:
        """As the base class, and the ``probe``, (B, C, H, W), along which J is asked."""
        batch = super().corrupt(clean, generator)
        return {**batch, "probe": torch.randn(clean.shape, generator=generator)}

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and the estimate of |J|_F^2 over the values of an image."""
        noisy = batch["noisy"].detach().requires_grad_()
        restored = self.restore(model, noisy, batch.get("sigma"))
        (along,) = torch.autograd.grad(
            (restored * batch["probe"]).sum(), noisy, create_graph=True
        )
        size = along.square().sum() / len(noisy)
        fit = half_mean_square(restored, batch["clean"])
        shown = {"fit": float(fit.detach()), "jacobian": float(size.detach() / noisy[0].numel())}
        return fit + self.level**2 / 2 * size, shown
