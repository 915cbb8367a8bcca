"""What a random defence is worth to somebody who simply asks again.

A defence that draws is often judged on one draw of each attacked image. An attacker may submit the
same image N times and needs to succeed once; a defender may run it N times and take the majority.
Both stand here beside the same for clean images, since a defence that fails by chance fails there
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import frozen
from robust_restoration.contracts.randomness import GlobalState, PerImage, numbers_of, seeded
from robust_restoration.errors import InputError
from robust_restoration.evaluation.result.intervals import share
from robust_restoration.evaluation.result.table import with_interval
from robust_restoration.numbers import check_count

APART = 1_000_003  # between the seeds of two images


@dataclass(frozen=True)
class Resubmission:
    """Predictions of each draw of each image, and what follows from them.

    Attributes:
        labels: (N,).
        clean: (N, draws), predictions on the clean images.
        attacked: The same on the attacked ones.
    """

    labels: Tensor
    clean: Tensor
    attacked: Tensor

    def every(self, draws: int, *, clean: bool = False) -> Tensor:
        """(N,), whether the first ``draws`` are all right: none of so many attempts succeeds."""
        return self._right(draws, clean).all(dim=1)

    def majority(self, draws: int, *, clean: bool = False) -> Tensor:
        """(N,), whether the most frequent prediction of the first ``draws`` is right.

        Of equally frequent ones the one that came first counts.
        """
        self._right(draws, clean)
        votes = (self.clean if clean else self.attacked)[:, :draws]
        counts = (votes[:, :, None] == votes[:, None, :]).sum(dim=2)
        most = counts.argmax(dim=1, keepdim=True)
        return votes.gather(1, most)[:, 0] == self.labels

    def to_markdown(self, draws: Sequence[int] = ()) -> str:
        """A row for each number of draws, in per cent with 95 % intervals (Wilson)."""
        chosen = list(draws) or [n for n in (1, 2, 5, 10, 20, 50, 100) if n <= self.clean.shape[1]]
        lines = [
            "| draws | attacked, all right | attacked, majority | clean, all right | "
            "clean, majority |",
            "|---:|---:|---:|---:|---:|",
        ]
        for count in chosen:
            cells = [
                _share(of(count, clean=clean))
                for clean in (False, True) for of in (self.every, self.majority)
            ]
            lines.append(f"| {count} | " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def _right(self, draws: int, clean: bool) -> Tensor:
        had = self.clean if clean else self.attacked
        check_count("draws", draws, at_most=had.shape[1])
        return had[:, :draws] == self.labels[:, None]


def resubmission(
    classifier: nn.Module,
    images: Tensor,
    attacked: Tensor,
    labels: Tensor,
    *,
    draws: int = 20,
    seed: int = 0,
    index: int | Sequence[int] = 0,
) -> Resubmission:
    """Ask a random classifier about clean and attacked images again and again.

    Args:
        classifier: Such as a `robust_restoration.PurifiedClassifier`: (N, C, H, W) in [0, 1] to
            logits.
        images: (N, C, H, W), clean.
        attacked: The same, attacked: by an attack whose gradient is an expectation over draws, as
            ``rr.Threat(..., draws=...)`` makes it, since one made for a single draw says little.
        labels: (N,).
        draws: How often each image is submitted.
        seed: Of the draws; each depends on it, on the image's number and on its own.
        index: The number of the first image, or one an image.

    Raises:
        InputError: If the shapes do not belong together.

    Example:
        >>> x_attacked = rr.create_attack("torchattacks/pgd", classifier, steps=2)(x, labels)
        >>> found = resubmission(classifier, x, x_attacked, labels, draws=10)
        >>> found.every(10).float().mean()  # what is left when an attacker may try ten times
    """
    check_count("draws", draws)
    if images.shape != attacked.shape or labels.shape != images.shape[:1] or images.ndim != 4:
        raise InputError(
            f"images are {tuple(images.shape)}, attacked {tuple(attacked.shape)} and labels "
            f"{tuple(labels.shape)}; expected (N, C, H, W) twice, and (N,)."
        )
    numbers = numbers_of(len(images), index)
    with torch.no_grad(), frozen(classifier):
        said = [
            torch.stack([
                _answers(classifier, image, draws, seed + APART * number)
                for image, number in zip(part, numbers, strict=True)
            ])
            for part in (images, attacked)
        ]
    return Resubmission(labels, *said)


def _answers(classifier: nn.Module, image: Tensor, draws: int, seed: int) -> Tensor:
    """(draws,) predictions; all at once where the classifier draws for each row by itself."""
    before = GlobalState(image.device)
    with PerImage(seed, list(range(draws))):
        answers = classifier(image.expand(draws, *image.shape)).argmax(dim=1)
    if before.unchanged():
        return answers
    before.restore()
    found: list[Any] = []
    for draw in range(draws):
        with seeded(seed, draw, image.device), PerImage(seed, [draw]):
            found.append(classifier(image[None]).argmax(dim=1))
    return torch.cat(found)


def _share(right: Tensor) -> str:
    return with_interval(share(int(right.sum()), len(right)), 100, 1)
