"""Hybrid adversarial training, HAT (Yan et al., arXiv:2201.04397)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Batch, Step
from robust_restoration.errors import InputError
from robust_restoration.numbers import is_number

from .adversarial import validate_attacked
from .denoising import DenoisingDefense, half_mean_square
from .inner_attack import InnerAttack


class HAT(DenoisingDefense):
    """Fits the clean image from noise, and the same output from the attacked noise (eq. 5).

    A batch's loss is [ |f(Y) - x|^2 + alpha |f(Y) - f(Y')|^2 ] / ((1 + alpha) 2B), with gradients
    through both f(Y) and f(Y'), and Y' the attacked Y.

    Args:
        alpha: Weight of the second term: 1 in Tables 2 and 3, 2 for real noise; 0 is standard
            training.
        attack: The inner attack's name.
        eps: Its budget; 5/255 in the paper.
        attack_options: Its options; for ``obsatk``, one step by default.
        shared: Take f(Y) of the loss for the attack's first gradient as well, as the attack begins
            at Y: one forward pass less in each step. The attack then sees batch norm in training
            mode, which couples the images of a batch and makes it weaker, so it is off by default:
            the authors attack in eval mode. Only ``obsatk`` can.
        **options: As `DenoisingDefense` takes them.

    Raises:
        InputError: If an option makes no sense.

    Example:
        >>> rr.train(denoiser, rr.create_defense("hat", alpha=1.0), "train400", steps=10_000)
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        attack: str = "obsatk",
        eps: float = 5 / 255,
        attack_options: dict[str, Any] | None = None,
        shared: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not is_number(alpha) or alpha < 0:
            raise InputError(
                f"alpha is {alpha!r}; expected the weight of the second term, 0 or more."
            )
        self.alpha = alpha
        self.attack = InnerAttack(attack, eps, attack_options, self.clip)
        self.shared = shared
        if self.shared and attack != "obsatk":
            raise InputError(
                f"shared=True with attack={attack!r}: only 'obsatk' begins at the noisy image and "
                "takes its first gradient from outside. Leave shared out."
            )

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and the share of it that is the second term's."""
        noisy, clean = batch["noisy"], batch["clean"]
        if self.shared:
            noisy = noisy.detach().requires_grad_()
        restored = self.restore(model, noisy, batch.get("sigma"))
        fit = half_mean_square(restored, clean)
        if self.shared:
            (gradient,) = torch.autograd.grad(fit, noisy, retain_graph=True)
            attacked = self.attack(model, batch, gradient=gradient)
        else:
            attacked = self.attack(model, batch)
        under = self.restore(model, attacked, batch.get("sigma"))
        apart = half_mean_square(under, restored)
        total = (fit + self.alpha * apart) / (1 + self.alpha)
        return total, {"fit": float(fit.detach()), "apart": float(apart.detach())}

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Mean PSNR in dB of held-out patches, noisy and attacked."""
        return validate_attacked(self, self.attack, model, batch, stage)
