"""What a purifier gains before a classifier, on images that it was not trained on.

Labels are not needed: what counts is whether the classifier says of the attacked and purified image
what it says of the clean one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import in_eval_mode
from robust_restoration.data import LabelledImages
from robust_restoration.evaluation import Result, Threat, evaluate
from robust_restoration.models.classifiers import with_unit_range
from robust_restoration.models.create import create_purifier
from robust_restoration.plugins.registry import registry

STRENGTHS = (3e-3, 1e-2)  # where the gain is measured
MEASURED_STEPS = 10
# What the fitted purifier is measured against, where their plugin is in use.
PLAIN: dict[str, dict[str, Any]] = {
    "bit_depth": {"bits": 8},
    "median": {"kernel_size": 3},
    "jpeg": {"quality": 75},
}
PLAIN_NAMES = {"bit_depth": "8 bits", "median": "median 3x3", "jpeg": "JPEG 75"}
BARE, BEFORE, FITTED = "none", "before fitting", "fitted"


def predictions(classifier: nn.Module, images: Tensor) -> Tensor:
    """(N,) the classes that a classifier says of images (N, C, H, W) uint8."""
    ready = in_eval_mode(with_unit_range(classifier))
    like = next(ready.parameters(), torch.zeros(()))
    with torch.no_grad():
        parts = [
            ready((part.to(like.device).float() / 255).to(like.dtype)).argmax(dim=1).cpu()
            for part in images.split(32)
        ]
    return torch.cat(parts)


def measured(
    classifier: nn.Module,
    before: nn.Module,
    fitted: nn.Module,
    held: Tensor,
    *,
    seed: int,
    state: Path,
    progress: bool,
) -> Result:
    """How often the classifier says of attacked and purified images what it says of clean ones.

    Args:
        classifier: The bare classifier, on which the attacks are made.
        before: The purifier that the fit began from.
        fitted: What came of it.
        held: (N, C, H, W) uint8, held back from the fit.
        seed: Of the attacks.
        state: The file of a stopped measurement, which goes on there.
        progress: Show a progress bar.
    """
    labels = predictions(classifier, held)
    known = registry().list("purifiers")
    rows: dict[str, nn.Module] = {
        PLAIN_NAMES[name]: create_purifier(name, **options)
        for name, options in PLAIN.items()
        if name in known
    }
    threat = Threat(
        "torchattacks/pgd",
        {"steps": MEASURED_STEPS, "alpha": "eps/5"},
        through="bare",
        eps=STRENGTHS,
        name="PGD",
    )
    return evaluate(
        classifier,
        LabelledImages(held, labels, name="held back"),
        purifiers={**rows, BEFORE: before, FITTED: fitted},
        threats=[threat],
        controls=False,
        checks=False,
        seed=seed,
        state=state,
        progress=progress,
    )


def summary(result: Result, count: int) -> tuple[str, dict[str, dict[str, float]], bool]:
    """A table of what is kept; its figures in per cent; and whether fitting gained anything."""
    figures: dict[str, dict[str, float]] = {}
    for subject in result.subjects:
        cells = {"clean": 100 * result.accuracy(subject)}
        for eps in STRENGTHS:
            cells[f"{eps:g}"] = 100 * result.accuracy(subject, "PGD", eps)
        figures[subject] = cells
    columns = list(next(iter(figures.values())))
    width = max(map(len, figures))
    lines = [
        f"Of {count} held-back images, the classifier says what it says of the clean image, in per "
        f"cent, under PGD-{MEASURED_STEPS} made without the purifier:",
        " " * width + "".join(f"{column:>9}" for column in columns),
    ]
    for subject, cells in figures.items():
        lines.append(f"{subject:<{width}}" + "".join(f"{cells[c]:9.1f}" for c in columns))
    means = {subject: sum(cells.values()) / len(cells) for subject, cells in figures.items()}
    (ours,) = (s for s in figures if s.endswith(FITTED))
    (start,) = (s for s in figures if s.endswith(BEFORE))
    others = {s: mean for s, mean in means.items() if s not in (ours, start)}
    best = max(others, key=lambda s: others[s])
    over, gained = max(means[ours], means[start]) - others[best], means[ours] - means[start]
    said = "no purifier" if best.endswith(BARE) else best
    if over <= 0:
        lines.append(
            f"It gains nothing: {said} keeps {-over:.1f} points more on average over the columns. "
            "More images or minutes may help."
        )
    else:
        lines.append(
            f"It gains {over:.1f} points over {said}, the best of the plain ones, on average over "
            "the columns."
        )
    lines.append(
        f"Fitting itself gained {gained:.1f} points."
        if gained > 0
        else f"Fitting itself gained nothing ({gained:+.1f} points), so that what it began from is "
        "given back."
    )
    return "\n".join(lines), figures, gained > 0
