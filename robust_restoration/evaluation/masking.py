"""Signs that an attack failed for want of gradients, not because the denoiser holds."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import frozen
from robust_restoration.models.restore import Level, quality, restored

from .controls import DIRECTION, control

DRAWS = 8


def signs_of_masking(
    denoiser: nn.Module,
    attack: Any,
    noisy: Tensor,
    attacked: Tensor,
    clean: Tensor,
    sigma: Level,
    *,
    seed: int,
) -> list[str]:
    """What speaks against an attack's figures being the worst there is.

    Three signs (Athalye et al., arXiv:1802.00420; Carlini et al., arXiv:1902.06705): a gradient
    that is zero, all the steps being weaker than a fifth of them or as fruitless, and the worst of
    eight random perturbations of the same length being worse.

    Args:
        denoiser: What was attacked.
        attack: The attack.
        noisy: A few noisy images (N, C, H, W).
        attacked: What the attack made of them.
        clean: The clean images.
        sigma: The level that the denoiser is told.
        seed: Of random perturbations.

    Returns:
        A sentence for each sign that was seen.
    """

    def left(images: Tensor) -> float:
        return float(quality(restored(denoiser, images, sigma), clean).mean())

    found, reached = [], left(attacked)
    gradient = getattr(attack, "gradient", None)
    if gradient is not None:
        with frozen(denoiser), torch.enable_grad():
            _, slope = gradient(noisy, clean)
        flat = int((slope.flatten(1).abs().amax(1) == 0).sum())
        if flat:
            found.append(
                f"the gradient is 0 at {flat} of {len(noisy)} images: it cannot guide the attack"
            )
    steps = getattr(attack, "steps", 1)
    if isinstance(steps, int) and steps >= 5:
        fewer = copy.copy(attack)
        fewer.steps = steps // 5
        short = left(fewer(noisy, clean))
        still = left(noisy) - reached < 0.02  # or the problem is simply solved early
        if reached > short + 0.02 or (still and reached >= short - 1e-3):
            found.append(
                f"{steps} steps leave {reached:.2f} dB and {fewer.steps} leave {short:.2f}: more "
                "steps do not help"
            )
    worst = min(
        left(
            control(
                DIRECTION, attack, noisy, attacked, clean, seed=seed + n, index=range(len(noisy))
            )
        )
        for n in range(DRAWS)
    )
    if worst < reached:
        found.append(
            f"the worst of {DRAWS} random perturbations of the same length leaves {worst:.2f} dB, "
            f"the attack {reached:.2f}: random search beats it"
        )
    return found
