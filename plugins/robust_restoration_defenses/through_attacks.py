"""Training against attacks that are made end to end through all that is in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch, Defense, TrainingSet, unwrapped
from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.errors import InputError
from robust_restoration.models.create import create_attack

from .classification import split
from .one_step import ALPHA, one_step, warn_of_overfitting

EPS = (0.0, 8 / 255)
PGD_STEPS, PGD_ALPHA = 10, 0.25  # of the validation; the step as a multiple of eps


class ThroughAttacks(Defense):
    """Base of `AdversarialPurifier` and `Joint`: all that is in use is attacked, end to end.

    Args:
        attack: The inner attack: ``"one_step"``, or the name of any registered attack on
            classifiers that takes ``eps``.
        eps: Its budget as a fraction of [0, 1], or the lowest and highest: each image draws its
            own, evenly between them; with a named attack, each batch.
        steps: Steps of the inner attack.
        alpha: Their length as a multiple of the budget; 1.25 for one step (arXiv:2001.03994), else
            2.5 / steps.
        attack_options: Further options of a named attack.
        consistency: Weight of KL(clean || attacked) between the predictions, as in TRADES
            (arXiv:1901.08573), at one more forward pass.
        clean: Weight of the cross-entropy on the images themselves, likewise.
        shift: Images are moved by up to so many pixels each way (4 is usual for 32x32).
        mirror: Mirror half of the images.
        size: The side that named images are brought to; ``None`` keeps theirs.
        channels: Of named images.
        seed: Not used: all that is drawn comes from the training's own.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self,
        *,
        attack: str = "one_step",
        eps: float | Sequence[float] = EPS,
        steps: int = 1,
        alpha: float | None = None,
        attack_options: dict[str, Any] | None = None,
        consistency: float = 0.0,
        clean: float = 0.0,
        shift: int = 0,
        mirror: bool = False,
        size: int | None = None,
        channels: int = 3,
        seed: int = 0,
    ) -> None:
        levels = (eps, eps) if isinstance(eps, int | float) else tuple(eps)
        if len(levels) != 2 or not 0 <= levels[0] <= levels[1] <= 1 or not levels[1]:
            raise InputError(
                f"eps is {eps!r}; expected a budget as a fraction of [0, 1], such as 8/255, or the "
                "lowest and the highest, such as (0, 8/255)."
            )
        if steps < 1 or (alpha is not None and alpha <= 0) or min(consistency, clean) < 0:
            raise InputError(
                f"steps is {steps}, alpha {alpha}, consistency {consistency} and clean {clean}; "
                "expected at least one step, a length above 0 and weights of at least 0."
            )
        if attack == "one_step" and attack_options:
            raise InputError(
                f"attack_options {sorted(attack_options)} are for attacks by name; 'one_step' "
                "takes eps, steps and alpha."
            )
        self.levels = (float(levels[0]), float(levels[1]))
        self.attack, self.steps = attack, steps
        self.alpha = alpha if alpha is not None else (ALPHA if steps == 1 else 2.5 / steps)
        self.attack_options = dict(attack_options or {})
        self.consistency, self.clean = consistency, clean
        self.shift, self.mirror = shift, mirror
        self.size, self.channels = size, channels

    def prepare(
        self, data: Any, *, val_fraction: float = 0.05, progress: bool = True
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Batches of labelled images, and a share of them held out.

        Args:
            data: `LabelledImages`, or what `load_labelled` takes: a name, a folder, an ``.npz``
                file. A `TrainingSet` is left as it is.
            val_fraction: The share that is held out.
            progress: Not used: nothing here takes long.
        """
        if isinstance(data, TrainingSet):
            return data, None
        if not isinstance(data, LabelledImages):
            data = load_labelled(data, size=self.size, channels=self.channels)
        return split(data, val_fraction, shift=self.shift, mirror=self.mirror)

    def whole(self, model: nn.Module, stage: str) -> nn.Module:
        """What is attacked and trained in a stage: images in [0, 1] to logits."""
        raise NotImplementedError

    def targets(self, batch: Batch) -> Tensor:
        """What the logits of a batch shall say: (B,) labels, or (B, K) probabilities."""
        return batch["labels"]

    def attacked(
        self, whole: nn.Module, images: Tensor, targets: Tensor, generator: Generator
    ) -> Tensor:
        """``images`` under the inner attack, within [0, 1], without gradients."""
        low, high = self.levels
        count = len(images) if self.attack == "one_step" else 1
        eps = low + (high - low) * torch.rand(count, generator=generator)
        if self.attack == "one_step":
            return one_step(
                whole, images, targets, eps, generator, alpha=self.alpha, steps=self.steps
            )
        labels = targets.argmax(1) if targets.ndim > 1 else targets
        options = {
            "eps": float(eps),
            "steps": self.steps,
            "alpha": self.alpha * float(eps),
            **self.attack_options,
        }
        found: Tensor = create_attack(self.attack, whole, **options)(images, labels)
        return found

    def loss(
        self, model: nn.Module, batch: Batch, stage: str, generator: Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy on attacked images, with the further terms that are asked for."""
        images, targets = batch["images"], self.targets(batch)
        attacked = self.attacked(self.whole(unwrapped(model), stage), images, targets, generator)
        whole = self.whole(model, stage)
        plain = None
        if self.consistency or self.clean:  # in one pass, so that batch norm sees both alike
            plain, under = whole(torch.cat([images, attacked])).float().chunk(2)
        else:
            under = whole(attacked).float()
        total = F.cross_entropy(under, targets)
        labels = targets.argmax(1) if targets.ndim > 1 else targets
        figures = {"attacked_accuracy": _accuracy(under, labels)}
        if plain is not None:
            if self.clean:
                total = total + self.clean * F.cross_entropy(plain, targets)
            if self.consistency:
                apart = F.kl_div(
                    under.log_softmax(1), plain.log_softmax(1), reduction="batchmean",
                    log_target=True,
                )
                total = total + self.consistency * apart
            figures["accuracy"] = _accuracy(plain, labels)
        return total, figures

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Accuracy on held-out images: clean, under one step, and under PGD of the highest eps.

        Always one step and PGD, whatever the inner attack: where the first holds and the second
        falls, training has gone wrong, and a `CatastrophicOverfittingWarning` says so.
        """
        images, labels = batch["images"], batch["labels"]
        whole = self.whole(unwrapped(model), stage)
        eps = torch.full((len(images),), self.levels[1])
        generator = Generator().manual_seed(0)
        one = one_step(whole, images, labels, eps, generator)
        many = one_step(
            whole, images, labels, eps, generator, alpha=PGD_ALPHA, steps=PGD_STEPS
        )
        found = {
            name: _accuracy(whole(seen), labels)
            for name, seen in {
                "accuracy": images, "one_step_accuracy": one, "pgd_accuracy": many
            }.items()
        }
        warn_of_overfitting(found["one_step_accuracy"], found["pgd_accuracy"])
        return found


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).float().mean())
