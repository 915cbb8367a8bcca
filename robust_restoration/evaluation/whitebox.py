"""What an attacker who knows of the purifier differentiates through."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from robust_restoration.models.straight_through import straight_through


class StraightThrough(nn.Module):
    """A purifier whose gradient is taken to be the identity's (BPDA, Athalye et al. 2018).

    Args:
        purifier: One that gives no gradient of its own.
    """

    def __init__(self, purifier: nn.Module) -> None:
        super().__init__()
        self.purifier = purifier

    def forward(self, images: Tensor) -> Tensor:
        """The purified images, differentiable as if they were ``images``."""
        with torch.no_grad():
            purified = self.purifier(images)
        return straight_through(purified, images)


class Expectation(nn.Module):
    """The mean of several draws of a random classifier (EOT, Athalye et al. 2018).

    Args:
        classifier: A classifier that is random.
        draws: How many are averaged.
    """

    unit_range = True

    def __init__(self, classifier: nn.Module, draws: int) -> None:
        super().__init__()
        self.classifier, self.draws = classifier, draws

    def forward(self, images: Tensor) -> Tensor:
        """Log of the mean probabilities."""
        logits = torch.stack([self.classifier(images) for _ in range(self.draws)])
        return log_mean_probability(logits)


def log_mean_probability(logits: Tensor) -> Tensor:
    """(draws, N, classes) logits -> (N, classes), log of the mean over the draws."""
    return logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))


def attackable(classifier: nn.Module, purifier: nn.Module, draws: int) -> nn.Module:
    """Purifier and classifier as one differentiable module.

    Args:
        classifier: Takes [0, 1], or has a ``pretrained_cfg``.
        purifier: Straight-through where it says that it is not differentiable.
        draws: Draws of the expectation where it says that it is random.
    """
    from robust_restoration.models.purify import PurifiedClassifier

    if not getattr(purifier, "differentiable", True):
        purifier = StraightThrough(purifier)
    whole = PurifiedClassifier(classifier, purifier)
    return Expectation(whole, draws) if getattr(purifier, "random", False) else whole
