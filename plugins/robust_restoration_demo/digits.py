"""Second part: handwritten digits, a timm classifier, an attack, a purifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import nn

import robust_restoration as rr
from robust_restoration.files import atomic_path

from .certificates import certify_digits

SIDE = 32
SHOWN_EPS = 0.1
STRENGTHS = (0.03, 0.1)
# As few as still show it: learnt from 1,397 digits in 200 steps, AdvFilter keeps 100 % of attacked
# digits where it keeps 99.5 % so.
LEARNT_FROM, TESTED = 500, 200
THROUGH = 40  # digits that are attacked through the purifier


def purify_digits(out: Path, console: Console, *, seed: int, quiet: bool) -> dict[str, Any]:
    """Train an AdvFilter before a classifier, attack, purify, certify, and show it.

    Args:
        out: Folder for ``digits.png``, ``accuracy.png`` and ``certified.png``.
        console: Where to print.
        seed: Of everything random.
        quiet: Show no progress bars.

    Returns:
        What was measured.
    """
    from .classifier import load_classifier

    training, kept = load_digits_32()
    test = kept.subset(slice(TESTED))
    console.print(
        f"[bold]2. A classifier[/bold] (timm test_efficientnet) has learnt {len(training)} "
        f"handwritten digits; {len(test)} others test it. It comes trained, for that shows nothing "
        "new. It is what is attacked from here on."
    )
    classifier = load_classifier()

    console.print(
        "[bold]3. A purifier[/bold], AdvFilter, learns to stand before this classifier and undo "
        f"attacks on it (PGD, eps 0.01 to 0.2, on {LEARNT_FROM} of the digits it has learnt): it "
        "predicts a small filter for each pixel."
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        purifier = rr.create_purifier("advfilter", channels=1, width=0.0625)
    method = rr.create_defense(
        "advfilter",
        classifier=classifier,
        attacks=["torchattacks/pgd"],
        epsilons=(0.01, 0.03, 0.06, 0.1, 0.2),
        small_up_to=0.03,
        large_from=0.03,
        per_image=2,
        attack_steps=5,
        cache=out / "cache",
        seed=seed,
    )
    shown = training.subset(slice(LEARNT_FROM))
    pairs, _ = method.prepare(shown, val_fraction=0.0, progress=not quiet)
    rr.train(purifier, method, pairs, steps=80, batch_size=32, lr=2e-3, seed=seed,
             progress=not quiet)

    console.print(
        "[bold]4. Attacks[/bold] of two kinds: by somebody who knows the classifier only "
        "(gray-box), and by somebody who knows the purifier too and attacks through it "
        f"(white-box, on {THROUGH} digits, as it is slow). A median filter stands beside it, which "
        "nobody had to train."
    )
    result = rr.evaluate(
        classifier,
        test,
        purifiers={"advfilter": purifier, "median": rr.create_purifier("median")},
        eps=STRENGTHS,
        threats={
            "gray-box": "gray-box steps=10",
            "white-box": f"white-box-quick steps=10 limit={THROUGH}",
        },
        controls=False,
        checks=False,
        batch_size=100,
        name="test_efficientnet",
        seed=seed,
        progress=not quiet,
    )
    console.print()
    console.print(result, highlight=False)
    picture = out / "digits.png"
    draw_digits(classifier, purifier, test, picture, seed=seed)
    result.plot(out / "accuracy.png")
    summary = {
        "eps": SHOWN_EPS,
        "clean": result.accuracy("none", eps=0),
        "attacked": result.accuracy("none", "gray-box", SHOWN_EPS),
        "purified_gray_box": result.accuracy("advfilter", "gray-box", SHOWN_EPS),
        "purified_white_box": result.accuracy("advfilter", "white-box", SHOWN_EPS),
        "picture": str(picture),
        "plot": str(out / "accuracy.png"),
        **certify_digits(classifier, test, out, console, seed=seed, quiet=quiet),
    }
    console.print(_conclusion(summary), highlight=False)
    return {**summary, "result": result}


def _conclusion(summary: dict[str, Any]) -> str:
    gray, white = summary["purified_gray_box"], summary["purified_white_box"]
    return (
        f"\nThree promises, of a classifier that is right on {summary['clean']:.0%} of the digits "
        f"and on {summary['attacked']:.0%} once they are attacked (no pixel by more than "
        f"{SHOWN_EPS}):\n"
        f"  {gray:>4.0%}  the attacker does not know of the purifier\n"
        f"  {white:>4.0%}  the attacker knows of it and attacks through it; measured, with a quick "
        "attack\n"
        f"  {summary['certified']:>4.0%}  certified behind a blur: no attack whatever, but only "
        f"changes up to L2 {summary['certified_radius']:g}, which is {SHOWN_EPS} at six pixels\n"
        "A purifier repairs images that were attacked without it in mind. It is no defence on its "
        "own against somebody who attacks through it."
    )


def load_digits_32() -> tuple[rr.LabelledImages, rr.LabelledImages]:
    """scikit-learn's 1,797 digits, 8x8, scaled to 32x32: 1,397 to train on, 400 to test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = torch.from_numpy(digits.images).float()[:, None] / 16
    images = F.interpolate(small, (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    data = rr.LabelledImages(
        (images * 255).round().to(torch.uint8), torch.from_numpy(digits.target).long(),
        name="digits",
    )
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(data)))
    test = data.subset(order[:400])
    return data.subset(order[400:]), test


def draw_digits(
    classifier: nn.Module,
    purifier: nn.Module,
    test: rr.LabelledImages,
    path: Path,
    *,
    seed: int = 0,
    columns: int = 8,
) -> None:
    """Draw clean, attacked and purified digits with what the classifier takes them for.

    Args:
        classifier: The bare classifier.
        purifier: What stands in front of it.
        test: Test images; those are shown that the classifier gets right when clean.
        path: The picture's file.
        seed: Of the attacks.
        columns: Up to which digit one of each is shown.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    robust = rr.PurifiedClassifier(classifier, purifier)
    bare = rr.PurifiedClassifier(classifier, nn.Identity())
    clean, labels = test.pixels(slice(None)), test.labels
    with torch.no_grad():
        right = (robust(clean).argmax(1) == labels) & (bare(clean).argmax(1) == labels)
    # One of each digit, as some digits are far harder to attack than others.
    first = [(right & (labels == digit)).nonzero().flatten()[:1] for digit in range(columns)]
    chosen = torch.cat(first)
    clean, labels = clean[chosen], labels[chosen]
    options = {"eps": SHOWN_EPS, "alpha": SHOWN_EPS / 4, "steps": 10, "seed": seed}
    gray = rr.create_attack("torchattacks/pgd", bare, **options)(clean, labels)
    white = rr.create_attack("torchattacks/pgd", robust, **options)(clean, labels)
    with torch.no_grad():
        rows = [
            ("clean", clean, bare(clean)),
            ("attacked", gray, bare(gray)),
            ("what the attack\nadded (x 4)", (gray - clean) * 4 + 0.5, None),
            ("purified", purifier(gray), robust(gray)),
            ("attacked through\nthe purifier", white, None),
            ("... and purified", purifier(white), robust(white)),
        ]
    columns = len(chosen)
    figure = Figure(figsize=(1.15 * columns + 1.9, 1.2 * len(rows) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    # One panel for all: laying out one for each digit takes seconds.
    panel = figure.subplots()
    for line, (title, images, logits) in enumerate(rows):
        panel.text(-0.1, line + 0.45, title, ha="right", va="center", fontsize=11)
        for column in range(columns):
            left, right, low, high = column, column + 0.85, line + 0.85, line
            panel.imshow(images[column, 0].numpy(), cmap="gray", vmin=0, vmax=1,
                         extent=(left, right, low, high))
            color = "black"
            if logits is not None:
                said = int(logits[column].argmax())
                color = "tab:green" if said == int(labels[column]) else "tab:red"
                panel.text((left + right) / 2, low + 0.02, f"seen as {said}", color=color,
                           ha="center", va="top", fontsize=10)
            panel.add_patch(Rectangle((left, high), 0.85, 0.85, fill=False, color=color,
                                      linewidth=0.8 if logits is None else 2.5))
    panel.set(xlim=(-0.03, columns - 0.1), ylim=(len(rows), -0.03))
    panel.axis("off")
    figure.suptitle(
        f"green: the classifier is right, red: it is fooled  (PGD, eps {SHOWN_EPS})", fontsize=12
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, bbox_inches="tight")
