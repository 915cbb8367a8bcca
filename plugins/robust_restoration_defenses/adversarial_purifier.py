"""Training a purifier by attacks made end to end through it and the classifier behind it."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch, Stage, Step, in_eval_mode, unwrapped
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import with_unit_range

from .through_attacks import ThroughAttacks


class AdversarialPurifier(ThroughAttacks):
    """Trains a purifier, and nothing else, against attacks through it and a frozen classifier.

    Minimises CE(f(P(x + delta)), y) over the parameters of P, with delta made end to end through P
    and the classifier f: an attacker who knows of the purifier does just that. The classifier is
    copied, in eval mode; the one that was given is left as it is.

    Args:
        classifier: The classifier that the purifier is for, with ``pretrained_cfg`` or taking
            [0, 1].
        labels: Train towards the labels; ``False`` for the classifier's own probabilities on the
            clean images, which need no right labels.
        feature_share: The share of the steps in which the purifier's encoder is first trained by
            itself, through a linear head on its pooled features and against attacks through the
            two: a short way for the gradient, at half the cost. For purifiers with ``features``
            and an ``encoder``, such as ``resunet``. The head is fixed (arXiv:1801.04540), so that
            there is nothing to keep beside the purifier.
        feature_weight: Weight of that head's loss from then on; it keeps the features while the
            decoder is young.
        classes: How many classes the classifier has, for that head.
        **options: As `ThroughAttacks` takes them.

    Raises:
        InputError: If an option makes no sense.

    Example:
        >>> defense = rr.create_defense("adversarial_purifier", classifier=classifier)
        >>> rr.train(rr.create_purifier("resunet"), defense, "cifar10:train", steps=10_000)
    """

    def __init__(
        self,
        *,
        classifier: nn.Module,
        labels: bool = True,
        feature_share: float = 0.0,
        feature_weight: float = 0.0,
        classes: int = 10,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not 0 <= feature_share < 1 or feature_weight < 0 or classes < 2:
            raise InputError(
                f"feature_share is {feature_share}, feature_weight {feature_weight} and classes "
                f"{classes}; expected a share from 0 to below 1, a weight of at least 0, and at "
                "least two classes."
            )
        own = copy.deepcopy(classifier)
        self.classifier = in_eval_mode(with_unit_range(own)).requires_grad_(False)
        self.labels, self.classes = labels, classes
        self.feature_share, self.feature_weight = feature_share, feature_weight

    def stages(self, model: nn.Module) -> tuple[Stage, ...]:
        """``purifier``, after ``features`` where the encoder is trained by itself first."""
        if self.feature_share or self.feature_weight:
            missing = [part for part in ("encoder", "features") if not hasattr(model, part)]
            if missing:
                raise InputError(
                    f"feature_share and feature_weight need a purifier with {missing[0]!r}, which "
                    f"{type(model).__name__} has not; take 'resunet', or leave both at 0."
                )
        last = Stage("purifier", 1 - self.feature_share)
        if not self.feature_share:
            return (last,)
        first = Stage(
            "features",
            self.feature_share,
            parameters=lambda model: model.get_submodule("encoder").parameters(),
        )
        return (first, last)

    def whole(self, model: nn.Module, stage: str) -> nn.Module:
        """The classifier behind the purifier, or the head behind its features."""
        if stage == "features":
            return _ThroughFeatures(unwrapped(model), self.classes)
        return _Purified(model, self.classifier)

    def targets(self, batch: Batch) -> Tensor:
        """The labels, or the classifier's probabilities on the clean images."""
        if self.labels:
            return batch["labels"]
        with torch.no_grad():
            return self.classifier(batch["images"]).float().softmax(1)

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, with that of the features' head where it has a weight."""
        self.classifier.to(batch["images"].device)
        if step.stage == "features" or not self.feature_weight:
            return super().loss(model, batch, step)
        seen: list[Tensor] = []
        encoder = unwrapped(model).get_submodule("encoder")
        hook = encoder.register_forward_hook(lambda _m, _i, found: seen.append(found[-1]))
        try:
            total, figures = super().loss(model, batch, step)
        finally:
            hook.remove()
        # The last pass is the one that is trained on; of clean and attacked images, the latter.
        features = seen[-1].mean(dim=(2, 3))[-len(batch["images"]) :]
        side = F.cross_entropy(_head(features, self.classes).float(), self.targets(batch))
        return total + self.feature_weight * side, {**figures, "features": float(side.detach())}

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Accuracy on held-out images: clean, under one step, and under PGD; see the base."""
        self.classifier.to(batch["images"].device)
        return super().validate(model, batch, stage)


class _Purified(nn.Module):
    """The frozen classifier behind the purifier; the classifier's mode is its own."""

    def __init__(self, purifier: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.purifier = purifier
        self.behind = [classifier]  # no submodule: what sets modes shall not reach it

    def forward(self, images: Tensor) -> Tensor:
        return self.behind[0](self.purifier(images))


class _ThroughFeatures(nn.Module):
    """A fixed linear head on the purifier's pooled features."""

    def __init__(self, purifier: nn.Module, classes: int) -> None:
        super().__init__()
        self.purifier, self.classes = purifier, classes

    def forward(self, images: Tensor) -> Tensor:
        return _head(self.purifier.features(images), self.classes)  # type: ignore[operator]


def _head(features: Tensor, classes: int) -> Tensor:
    """(N, D) features to (N, ``classes``), by orthogonal directions that are always the same."""
    weight = torch.empty(classes, features.shape[1])
    nn.init.orthogonal_(weight, generator=Generator().manual_seed(0))
    return features @ weight.to(features).T
