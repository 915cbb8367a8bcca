"""Adversarial training of classifiers (Madry et al., arXiv:1706.06083)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.contracts import Batch, Defense, Step, TrainingSet, unwrapped
from robust_restoration.models.classifiers import with_unit_range
from robust_restoration.models.create import create_attack
from robust_restoration.numbers import check_count, check_fraction, check_level, check_positive

from .classification import prepare_batches, share_right


class Madry(Defense):
    """Minimises the cross-entropy on attacked images.

    The model that is trained is the classifier. It takes [0, 1], or has a ``pretrained_cfg`` with
    the mean and standard deviation that are applied here. A classifier behind a purifier,
    `PurifiedClassifier`, is one too.

    Args:
        attack: The inner attack's name; it runs with the classifier in eval mode.
        eps: Its budget, as a fraction of [0, 1].
        steps: Its steps.
        alpha: Its step; by default 2.5 eps / steps, and eps for one step.
        attack_options: Further options of it.
        mix: The share of a batch that is attacked: 1 in the paper, 0.5 for 1 : 1.
        shift: Images are moved by up to so many pixels each way.
        mirror: Mirror half of the images.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self,
        *,
        attack: str = "torchattacks/pgd",
        eps: float = 8 / 255,
        steps: int = 10,
        alpha: float | None = None,
        attack_options: dict[str, Any] | None = None,
        mix: float = 1.0,
        shift: int = 0,
        mirror: bool = False,
    ) -> None:
        self.mix = check_fraction("mix", mix, above=0)
        check_positive("eps", check_level("eps", eps))
        check_count("steps", steps)
        step = min(eps, 2.5 * eps / steps) if alpha is None else alpha
        self.attack = attack
        self.options = {"eps": eps, "steps": steps, "alpha": step, **(attack_options or {})}
        self.shift, self.mirror = check_count("shift", shift, 0), mirror

    def prepare(
        self,
        data: Any,
        *,
        model: nn.Module | None = None,
        val_fraction: float = 0.05,
        progress: bool = True,
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Batches of labelled images, and a share held out.

        Args:
            data: Anything `robust_restoration.load_labelled` takes, or a `TrainingSet`, which is
                left as it is.
            model: The classifier, for its channels.
            val_fraction: The share of the images that is held out.
            progress: Not used: nothing here takes long.
        """
        return prepare_batches(
            data, model, val_fraction, shift=self.shift, mirror=self.mirror
        )

    def attacked(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The images under the inner attack, without gradients."""
        attack = create_attack(self.attack, unwrapped(model), **self.options)
        found: Tensor = attack(images, labels)
        return found

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy, the first share of the batch being attacked."""
        images, labels = batch["images"], batch["labels"]
        count = max(1, round(self.mix * len(images)))
        first = self.attacked(model, images[:count], labels[:count])
        logits = with_unit_range(model)(torch.cat([first, images[count:]]))
        right = share_right(logits[:count], labels[:count])
        return F.cross_entropy(logits, labels), {"attacked_accuracy": right}

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Accuracy on held-out images, clean and attacked."""
        images, labels = batch["images"], batch["labels"]
        whole = with_unit_range(model)
        found = {"accuracy": images, "attacked_accuracy": self.attacked(model, images, labels)}
        return {name: share_right(whole(seen), labels) for name, seen in found.items()}
