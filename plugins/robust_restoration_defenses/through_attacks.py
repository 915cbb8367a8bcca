"""Training against attacks that are made end to end through all that is in use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import SGD, Optimizer

from robust_restoration.contracts import Batch, Defense, Step, TrainingSet, unwrapped
from robust_restoration.errors import InputError
from robust_restoration.models.create import create_attack
from robust_restoration.numbers import check_count, check_levels, check_positive, is_number

from .classification import prepare_batches, share_right
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
        sgd: Train with SGD, Nesterov's momentum of 0.9 and this weight decay on all but norms and
            biases, as adversarial training mostly is; ``None`` takes Adam.

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
        sgd: float | None = None,
    ) -> None:
        self.levels = check_levels("eps", eps)
        check_positive("the highest eps", self.levels[1])
        for name, value in (("consistency", consistency), ("clean", clean), ("sgd", sgd or 0.0)):
            if not is_number(value) or value < 0:
                raise InputError(f"{name} is {value!r}; expected a weight of at least 0.")
        if attack == "one_step" and attack_options:
            raise InputError(
                f"attack_options {sorted(attack_options)} are for attacks by name; 'one_step' "
                "takes eps, steps and alpha."
            )
        self.attack, self.steps = attack, check_count("steps", steps)
        usual = ALPHA if steps == 1 else 2.5 / steps
        self.alpha = usual if alpha is None else check_positive("alpha", alpha)
        self.attack_options = dict(attack_options or {})
        self.consistency, self.clean = consistency, clean
        self.shift, self.mirror = shift, mirror
        self.size, self.sgd = size, sgd

    def prepare(
        self,
        data: Any,
        *,
        model: nn.Module | None = None,
        val_fraction: float = 0.05,
        progress: bool = True,
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Batches of labelled images, and a share of them held out.

        Args:
            data: `LabelledImages`, or what `load_labelled` takes: a name, a folder, an ``.npz``
                file. A `TrainingSet` is left as it is.
            model: What is trained, for its channels.
            val_fraction: The share that is held out.
            progress: Not used: nothing here takes long.
        """
        return prepare_batches(
            data, model, val_fraction, size=self.size, shift=self.shift, mirror=self.mirror
        )

    def optimizer(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer | None:
        """SGD where it is asked for."""
        if self.sgd is None:
            return None
        trained = list(parameters)
        weights = [p for p in trained if p.ndim > 1]
        others = [p for p in trained if p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": self.sgd}, {"params": others, "weight_decay": 0.0}
        ]
        return SGD([g for g in groups if g["params"]], lr=lr, momentum=0.9, nesterov=True)

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

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy on attacked images, with the further terms that are asked for."""
        images, targets = batch["images"], self.targets(batch)
        inside = self.whole(unwrapped(model), step.stage)
        attacked = self.attacked(inside, images, targets, step.generator)
        whole = self.whole(model, step.stage)
        plain = None
        if self.consistency or self.clean:  # in one pass, so that batch norm sees both alike
            plain, under = whole(torch.cat([images, attacked])).float().chunk(2)
        else:
            under = whole(attacked).float()
        total = F.cross_entropy(under, targets)
        labels = targets.argmax(1) if targets.ndim > 1 else targets
        figures = {"attacked_accuracy": share_right(under, labels)}
        if plain is not None:
            if self.clean:
                total = total + self.clean * F.cross_entropy(plain, targets)
            if self.consistency:
                apart = F.kl_div(
                    under.log_softmax(1), plain.log_softmax(1), reduction="batchmean",
                    log_target=True,
                )
                total = total + self.consistency * apart
            figures["accuracy"] = share_right(plain, labels)
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
            name: share_right(whole(seen), labels)
            for name, seen in {
                "accuracy": images, "one_step_accuracy": one, "pgd_accuracy": many
            }.items()
        }
        warn_of_overfitting(found["one_step_accuracy"], found["pgd_accuracy"])
        return found
