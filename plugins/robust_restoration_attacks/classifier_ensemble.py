"""One standard ensemble for classifiers, in AutoAttack's manner: the worst counts, image by image.

A defence is as strong as against the attack that it holds least against. Which one that is differs
from defence to defence: gradients may be masked, losses saturated, or smooth noise let through.
"""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.errors import InputError
from robust_restoration.models.create import create_attack
from robust_restoration.numbers import check_count, check_level

VERSIONS = ("1",)
TARGETS = 9  # AutoAttack's: the classes that come next


class ClassifierEnsemble(Attack):
    """APGD-CE, APGD-T, FAB-T, Square, and the smooth TI-FGSM; each on what the others left.

    Each member gets the images that are classified right up to then, and an image that it fools is
    kept as it is. So the ensemble is never weaker than a member. Croce and Hein, ICML 2020
    (arXiv:2003.01690), for the first four; TI-FGSM (arXiv:1904.02884) because purifiers that choose
    by an image's finest grain fall to noise that has little of it. All are torchattacks' own.
    Figures of one version can be compared; what changes a figure gets a new one.

    After a call `won` says which member fooled each image, ``"none"`` where none did, and
    ``"wrong"`` where none was needed.

    Args:
        model: The classifier, purifier and all, of inputs in [0, 1].
        eps: The largest change of a value.
        version: ``"1"``.
        steps: Steps of APGD-CE; APGD-T and FAB-T take as many for each of up to nine targets.
        n_queries: Of Square, at most, for each image.
        restarts: Of APGD-CE.
        seed: Of random numbers.

    Raises:
        InputError: If an option makes no sense.

    Example:
        >>> attacked = ClassifierEnsemble(classifier, eps=8/255)(images, labels)
    """

    norm = math.inf
    random = True
    differentiates = True

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float = 8 / 255,
        version: str | int = "1",
        steps: int = 100,
        n_queries: int = 5000,
        restarts: int = 1,
        seed: int | None = 0,
    ) -> None:
        super().__init__("ClassifierEnsemble", model)
        if str(version) not in VERSIONS:
            raise InputError(f"version is {version!r}; expected {' or '.join(VERSIONS)}.")
        self.budget = check_level("eps", eps)
        self.eps, self.seed, self.version = eps, seed, str(version)
        self.steps = check_count("steps", steps)
        self.n_queries = check_count("n_queries", n_queries)
        self.restarts = check_count("restarts", restarts)
        self.won: list[str] = []

    def members(self, classes: int) -> dict[str, Attack]:
        """The attacks by name, the quickest first, for a classifier of so many classes."""
        shared: dict[str, Any] = {"eps": self.eps}
        targets = {"n_classes": min(classes, TARGETS + 1)}
        named: dict[str, tuple[str, dict[str, Any]]] = {
            "apgd-ce": ("apgd", {"steps": self.steps, "n_restarts": self.restarts, "loss": "ce"}),
            "ti-fgsm": ("tifgsm", {"steps": 20, "alpha": self.budget / 8}),
            "apgd-t": ("apgdt", {"steps": self.steps, "n_restarts": 1, **targets}),
            "fab-t": (
                "fab", {"steps": self.steps, "n_restarts": 1, "multi_targeted": True, **targets}
            ),
            "square": ("square", {"n_queries": self.n_queries, "n_restarts": 1}),
        }
        if classes < 3:  # the difference of logits ratio has three of them
            named = {n: m for n, m in named.items() if n not in ("apgd-t", "fab-t")}
        return {
            name: create_attack(f"torchattacks/{attack}", self.model, **shared, **options)
            for name, (attack, options) in named.items()
        }

    def run(
        self, images: Tensor, targets: Tensor | None, numbers: list[int], *args: Any, **kw: Any
    ) -> Tensor:
        """The attack; see the class."""
        if targets is None:
            raise InputError("An attack on a classifier needs the labels (N,): attack(x, labels).")
        with torch.no_grad():
            logits = self.model(images)
        if logits.ndim != 2:
            raise InputError(
                f"The network gave {tuple(logits.shape)} for {len(images)} images; expected the "
                "logits (N, classes) of a classifier. A network that gives images is attacked by "
                "'restoration_ensemble', with clean images as targets."
            )
        standing = logits.argmax(dim=1) == targets
        won = ["none" if right else "wrong" for right in standing.tolist()]
        attacked = images.clone()
        members = self.members(logits.shape[1])
        if images.shape[1] != 3:
            del members["ti-fgsm"]  # torchattacks smooths gradients of three channels
        for name, member in members.items():
            rows = standing.nonzero()[:, 0]
            if not len(rows):
                break
            again = copy(member)
            again.seed = self.seed
            at = [numbers[row] for row in rows.tolist()]
            # FAB looks for the nearest wrong image, which may lie outside: what is judged is what
            # is left of it within the budget.
            made = self.limit(again(images[rows], targets[rows], index=at), images[rows])
            with torch.no_grad():
                fooled = self.model(made).argmax(dim=1) != targets[rows]
            attacked[rows[fooled]] = made[fooled].to(attacked)
            standing[rows[fooled]] = False
            for row in rows[fooled].tolist():
                won[row] = name
        self.won = won
        return attacked
