"""The one-step attack with a random start, and the watch for what it may lead to."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from robust_restoration.contracts.freezing import frozen

# Wong et al., section 4.2: a full step from the random start and a quarter more.
ALPHA = 1.25
# One-step accuracy from which on a PGD accuracy of less than half of it is no chance result.
WORTH_A_LOOK = 0.2


class CatastrophicOverfittingWarning(UserWarning):
    """A model holds against one step, and against nothing else any more."""


def one_step(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    eps: Tensor,
    generator: Generator,
    *,
    alpha: float = ALPHA,
    steps: int = 1,
) -> Tensor:
    """FGSM from a random start (Wong et al., arXiv:2001.03994), each image within its own budget.

    The model is attacked in eval mode; its modes and flags are afterwards what they were.

    Args:
        model: Images in [0, 1] to logits.
        images: (N, C, H, W) in [0, 1].
        targets: (N,) labels, or (N, K) probabilities.
        eps: (N,), L-infinity budgets as fractions of [0, 1]; 0 leaves an image alone.
        generator: Of the random start, on the CPU.
        alpha: The step as a multiple of the budget.
        steps: More than one makes it PGD, of steps ``alpha`` long.

    Returns:
        (N, C, H, W) in [0, 1], within ``eps``, without gradients.
    """
    images = images.detach()
    budget = eps.to(images).view(-1, 1, 1, 1)
    start = torch.rand(images.shape, generator=generator).to(images) * 2 - 1
    low, high = (images - budget).clamp(min=0), (images + budget).clamp(max=1)
    attacked = (images + start * budget).clamp(0, 1)
    with frozen(model), torch.enable_grad():
        for _ in range(steps):
            leaf = attacked.detach().requires_grad_()
            loss = F.cross_entropy(model(leaf).float(), targets, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, leaf)
            step = attacked + alpha * budget * gradient.sign()
            attacked = torch.minimum(torch.maximum(step, low), high)
    return attacked.detach()


def warn_of_overfitting(one_step_accuracy: float, pgd_accuracy: float) -> None:
    """Warn where a model holds against one step and falls to several of the same length in all.

    That is catastrophic overfitting (Wong et al., section 5.4): training against one step ends in
    a model whose gradient at the random start leads an attack astray.

    Args:
        one_step_accuracy: Accuracy under the attack of training, 0 to 1.
        pgd_accuracy: Accuracy under PGD of the same budget.
    """
    if one_step_accuracy >= WORTH_A_LOOK and pgd_accuracy < one_step_accuracy / 2:
        warnings.warn(
            f"Accuracy is {one_step_accuracy:.0%} under one step and {pgd_accuracy:.0%} under PGD "
            "of the same strength, which is catastrophic overfitting: go back to an earlier "
            "checkpoint, and train with a smaller alpha or eps, or with steps=2 or more.",
            CatastrophicOverfittingWarning,
            stacklevel=2,
        )
