"""Adversarial training of denoisers (vAT), and its even mixture with noisy images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Batch, Step
from robust_restoration.numbers import check_fraction

from .denoising import DenoisingDefense, half_mean_square
from .inner_attack import InnerAttack


class Adversarial(DenoisingDefense):
    """Minimises |f(y') - x|^2 / 2 on attacked images y'.

    All of a batch attacked is the vanilla adversarial training (vAT) that the ObsAtk paper compares
    with; ``mix=0.5`` with ``attack="denoising_pgd"`` is the adversarial training of the
    denoising-PGD paper (section IV-F), attacked and Gaussian images 1 : 1.

    Args:
        attack: The inner attack's name.
        eps: Its budget.
        attack_options: Its options; for ``obsatk``, one step by default.
        mix: The share of a batch that is attacked.
        **options: As `DenoisingDefense` takes them.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self,
        *,
        attack: str = "obsatk",
        eps: float = 5 / 255,
        attack_options: dict[str, Any] | None = None,
        mix: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.attack = InnerAttack(attack, eps, attack_options, self.clip)
        self.mix = check_fraction("mix", mix, above=0)

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """SSE / (2B) on the images, the first share of which is attacked."""
        count = max(1, round(self.mix * len(batch["noisy"])))
        part = {name: tensor[:count] for name, tensor in batch.items()}
        images = torch.cat([self.attack(model, part), batch["noisy"][count:]])
        restored = self.restore(model, images, batch.get("sigma"))
        return half_mean_square(restored, batch["clean"]), {}

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Mean PSNR in dB of held-out patches, noisy and attacked."""
        return validate_attacked(self, self.attack, model, batch, stage)


def validate_attacked(
    defense: DenoisingDefense, attack: InnerAttack, model: nn.Module, batch: Batch, stage: str
) -> dict[str, float]:
    """Mean PSNR in dB of held-out patches, noisy and attacked as in training."""
    noisy = DenoisingDefense.validate(defense, model, batch, stage)
    under = {**batch, "noisy": attack(model, batch)}
    attacked = DenoisingDefense.validate(defense, model, under, stage)
    return {**noisy, **{f"attacked_{name}": value for name, value in attacked.items()}}
