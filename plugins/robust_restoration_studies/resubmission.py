"""What a random defence is worth to somebody who simply asks again.

A defence that draws is often judged on one draw of each attacked image. An attacker may submit the
same image N times and needs to succeed once; a defender may run it N times and take the majority.
Both stand here beside the same for clean images, since a defence that fails by chance fails there
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import frozen
from robust_restoration.contracts.randomness import GlobalState, PerImage, numbers_of, seeded
from robust_restoration.errors import InputError
from robust_restoration.evaluation.result.intervals import share
from robust_restoration.evaluation.result.table import with_interval
from robust_restoration.numbers import check_count

from .findings import Findings

APART = 1_000_003  # between the seeds of two images
COUNTS = (1, 2, 5, 10, 20, 50, 100)  # of draws, in tables


@dataclass(frozen=True)
class Resubmission(Findings):
    """Predictions of each draw of each image, and what follows from them.

    Attributes:
        labels: (N,).
        clean: (N, draws), predictions on the clean images.
        attacked: The same on the attacked ones.
        settings: What it was computed with.
    """

    labels: Tensor
    clean: Tensor
    attacked: Tensor
    settings: dict[str, Any] = field(default_factory=dict)

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

    def to_dict(self) -> dict[str, Any]:
        """All predictions, and what was asked for, as plain data."""
        names = ("labels", "clean", "attacked")
        return {
            "settings": self.settings, **{name: getattr(self, name).tolist() for name in names}
        }

    def draw(self, figure: Any) -> None:
        """What is left over the number of draws: attacked and clean, all right and majority."""
        figure.set_size_inches(5.2, 3.6)
        axes = figure.subplots()
        draws = range(1, self.clean.shape[1] + 1)
        for clean, color in ((False, "tab:red"), (True, "tab:blue")):
            for of, style, word in (
                (self.every, "-", "all right"), (self.majority, "--", "majority right")
            ):
                shares = [100 * float(of(n, clean=clean).float().mean()) for n in draws]
                label = f"{'clean' if clean else 'attacked'}, {word}"
                axes.plot(draws, shares, style, color=color, label=label)
        axes.set_xlabel("how often each image is submitted")
        axes.set_ylabel(f"% of {len(self.labels)} images")
        axes.set_ylim(0, 100)
        axes.legend(fontsize=8)

    def to_markdown(self, draws: Sequence[int] = ()) -> str:
        """A row for each number of draws, in per cent with 95 % intervals (Wilson)."""
        chosen = list(draws) or [n for n in COUNTS if n <= self.clean.shape[1]]
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
    batch_size: int = 64,
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
        batch_size: Draws of an image at a time.
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
    check_count("batch_size", batch_size)
    if images.shape != attacked.shape or labels.shape != images.shape[:1] or images.ndim != 4:
        raise InputError(
            f"images are {tuple(images.shape)}, attacked {tuple(attacked.shape)} and labels "
            f"{tuple(labels.shape)}; expected (N, C, H, W) twice, and (N,)."
        )
    numbers = numbers_of(len(images), index)
    with torch.no_grad(), frozen(classifier):
        clean, struck = (
            torch.stack([
                _answers(classifier, image, draws, batch_size, seed + APART * number)
                for image, number in zip(part, numbers, strict=True)
            ])
            for part in (images, attacked)
        )
    return Resubmission(labels, clean, struck)


def _answers(
    classifier: nn.Module, image: Tensor, draws: int, batch_size: int, seed: int
) -> Tensor:
    """(draws,) predictions; in batches where the classifier draws for each row by itself."""
    before = GlobalState(image.device)
    found = []
    for first in range(0, draws, batch_size):
        part = list(range(first, min(first + batch_size, draws)))
        with PerImage(seed, part):
            found.append(classifier(image.expand(len(part), *image.shape)).argmax(dim=1))
        if not before.unchanged():  # it draws in another way
            break
    else:
        return torch.cat(found)
    before.restore()
    found = []
    for draw in range(draws):
        with seeded(seed, draw, image.device), PerImage(seed, [draw]):
            found.append(classifier(image[None]).argmax(dim=1))
    return torch.cat(found)


def _share(right: Tensor) -> str:
    return with_interval(share(int(right.sum()), len(right)), 100, 1)
