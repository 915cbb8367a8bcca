"""Training purifier and classifier together, or a classifier alone, against one-step attacks."""

from __future__ import annotations

from torch import nn

from robust_restoration.contracts import unwrapped
from robust_restoration.models.classifiers import with_unit_range

from .through_attacks import ThroughAttacks


class Joint(ThroughAttacks):
    """Trains a `PurifiedClassifier`, purifier and classifier, against attacks through both.

    The AdvFilter paper's equation 12 trains the two on attacks that know of neither; here the
    attacks are made end to end. A classifier without a purifier is trained likewise: with the
    default inner attack, fast adversarial training (arXiv:2001.03994).

    Args:
        **options: As `ThroughAttacks` takes them.

    Example:
        >>> robust = rr.PurifiedClassifier(classifier, rr.create_purifier("resunet"))
        >>> rr.train(robust, rr.create_defense("joint"), "cifar10:train", steps=10_000)
    """

    together = True

    def whole(self, model: nn.Module, stage: str) -> nn.Module:
        """The model, as one that takes [0, 1]."""
        return model if getattr(unwrapped(model), "unit_range", False) else with_unit_range(model)
