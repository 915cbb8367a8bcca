"""Signs that an attack failed for want of gradients, not because the subject holds."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack, frozen
from robust_restoration.contracts.randomness import seeded
from robust_restoration.evaluation.controls import DIRECTION, SIGN, control
from robust_restoration.evaluation.tasks import Block, Task
from robust_restoration.evaluation.threats import attacked_images

DRAWS = 8


def signs(
    task: Task, subject: str, attack: Attack, attacked: Tensor, block: Block
) -> list[str]:
    """What speaks against an attack's figures being the worst there is.

    Three signs (Athalye et al., arXiv:1802.00420; Carlini et al., arXiv:1902.06705): a gradient
    that is zero, all the steps being weaker than a fifth of them or as fruitless, and the worst of
    eight random perturbations of the same size being worse.

    Args:
        task: The subjects.
        subject: Which of them was attacked.
        attack: The attack.
        attacked: What it made of the block, (N, C, H, W).
        block: A few images.

    Returns:
        A sentence for each sign that was seen.
    """
    denoiser = task.role == "denoiser"
    metric = next(iter(task.metrics)) if denoiser else "accuracy"
    falls = -1 if metric == "mae" else 1  # of what is worse, there is more
    unit = {"psnr": " dB", "accuracy": " right"}.get(metric, f" {metric}")

    def left(images: Tensor) -> float:
        output = task.output(subject, images, block)
        return falls * float(task.figures(subject, output, images, block)[metric].mean())

    def again(changed: Attack) -> Tensor:
        return attacked_images(
            changed, block.inputs, block.targets, block.numbers, seed=task.seed
        )

    found, reached = [], left(attacked)
    slope = _gradient(attack, block, denoiser)
    if slope is not None:
        flat = int((slope.flatten(1).abs().amax(1) == 0).sum())
        if flat:
            found.append(
                f"the gradient is 0 at {flat} of {len(slope)} images: it cannot guide the attack"
            )
    steps = getattr(attack, "steps", 1)
    if isinstance(steps, int) and steps >= 5 and denoiser:
        fewer = copy.copy(attack)
        fewer.steps = steps // 5
        short = left(again(fewer))
        still = left(block.inputs) - reached < 0.02  # or the problem is simply solved early
        if reached > short + 0.02 or (still and reached >= short - 1e-3):
            found.append(
                f"{steps} steps leave {abs(reached):.2f}{unit} and {fewer.steps} leave "
                f"{abs(short):.2f}: more steps do not help"
            )
    kind = DIRECTION if denoiser else SIGN
    worst = float("inf")
    for n in range(DRAWS):
        changed = control(
            kind, attack, block.inputs, attacked, block.clean, seed=task.seed + n,
            index=block.numbers,
        )
        worst = min(worst, left(changed if denoiser else changed.clamp(0, 1)))
    if worst < reached:
        found.append(
            f"the worst of {DRAWS} random perturbations of the same size leaves "
            f"{abs(worst):.2f}{unit}, the attack {abs(reached):.2f}: random search beats it"
        )
    return found


def _gradient(attack: Attack, block: Block, denoiser: bool) -> Tensor | None:
    """The gradient that guides an attack, at its inputs; ``None`` where it cannot be had."""
    with frozen(attack.model), torch.enable_grad(), seeded(0, 0, block.inputs.device):
        if not denoiser:
            images = block.inputs.detach().requires_grad_()
            loss = nn.functional.cross_entropy(attack.model(images), block.targets)
            (slope,) = torch.autograd.grad(loss, images, allow_unused=True)
            return torch.zeros_like(images) if slope is None else slope
        gradient = getattr(attack, "gradient", None)
        return None if gradient is None else gradient(block.inputs, block.targets)[1]
