"""Second part: handwritten digits, a timm classifier, an attack, a purifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Generator, Tensor, nn

import robust_restoration as rr
from robust_restoration.files import atomic_path

from .certificates import certify_digits

SIDE = 32
SHOWN_EPS = 0.1
STRENGTHS = (0.03, 0.1)


def purify_digits(out: Path, console: Console, *, seed: int, quiet: bool) -> dict[str, Any]:
    """Train a classifier and an AdvFilter, attack, purify, certify, and show it.

    Args:
        out: Folder for ``digits.png``, ``accuracy.png`` and ``certified.png``.
        console: Where to print.
        seed: Of everything random.
        quiet: Show no progress bars.

    Returns:
        What was measured.
    """
    training, test = load_digits_32()
    console.print(
        f"[bold]2. A classifier[/bold] (timm test_efficientnet) learns {len(training)} handwritten "
        f"digits; {len(test)} others are kept for testing. It is what is attacked from here on."
    )
    classifier = fit_classifier(training, seed=seed, progress=not quiet)

    console.print(
        "[bold]3. A purifier[/bold], AdvFilter, learns to stand before this classifier and undo "
        "attacks on it (PGD, eps 0.01 to 0.2): it predicts a small filter for each pixel."
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
        attack_steps=7,
        cache=out / "cache",
        seed=seed,
    )
    pairs, _ = method.prepare(training, val_fraction=0.0, progress=not quiet)
    rr.train(purifier, method, pairs, steps=200, batch_size=32, lr=2e-3, seed=seed,
             progress=not quiet)

    console.print(
        "[bold]4. Attacks[/bold] of two kinds: by somebody who knows the classifier only "
        "(gray-box), and by somebody who knows the purifier too and attacks through it "
        "(white-box). A median filter stands beside it, which nobody had to train."
    )
    result = rr.evaluate(
        classifier,
        test,
        purifiers={"advfilter": purifier, "median": rr.create_purifier("median")},
        eps=STRENGTHS,
        threats={
            "gray-box": "gray-box steps=10", "white-box": "white-box-quick steps=10 limit=100"
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


class _LabelledSet:
    """Labelled images, shifted by up to two pixels, as batches to train on."""

    def __init__(self, data: rr.LabelledImages) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> rr.Batch:
        images = F.pad(self.data.pixels(indices), (2, 2, 2, 2))
        top, left = torch.randint(0, 5, (2,), generator=generator).tolist()
        window = images[..., top : top + SIDE, left : left + SIDE]
        return {"images": window, "label": self.data.labels[indices]}


class _CrossEntropy(rr.Defense):
    """No defense at all: the classifier's plain training."""

    def loss(
        self, model: nn.Module, batch: rr.Batch, step: rr.Step
    ) -> tuple[Tensor, dict[str, float]]:
        return F.cross_entropy(model(batch["images"]), batch["label"]), {}


def fit_classifier(data: rr.LabelledImages, *, seed: int = 0, progress: bool = True) -> nn.Module:
    """Train timm's smallest EfficientNet on gray 32x32 images, from scratch.

    Args:
        data: (N, 1, 32, 32) images of ten classes.
        seed: Of the initial weights and the batches.
        progress: Show a progress bar.
    """
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = timm.create_model("test_efficientnet", in_chans=1, num_classes=10)
    rr.train(rr.NormalizedClassifier(model), _CrossEntropy(), _LabelledSet(data), steps=250,
             batch_size=64, lr=3e-3, betas=(0.9, 0.999), seed=seed, progress=progress)
    return model.eval()


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

    robust = rr.PurifiedClassifier(classifier, purifier)
    bare = rr.PurifiedClassifier(classifier, nn.Identity())
    clean, labels = test.pixels(slice(None)), test.labels
    with torch.no_grad():
        right = (robust(clean).argmax(1) == labels) & (bare(clean).argmax(1) == labels)
    # One of each digit, as some digits are far harder to attack than others.
    first = [(right & (labels == digit)).nonzero().flatten()[:1] for digit in range(columns)]
    chosen = torch.cat(first)
    clean, labels = clean[chosen], labels[chosen]
    options = {"eps": SHOWN_EPS, "alpha": SHOWN_EPS / 8, "steps": 20, "seed": seed}
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
    figure = Figure(figsize=(1.15 * columns + 1.9, 1.35 * len(rows) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for line, (title, images, logits) in zip(panels, rows, strict=True):
        for column, panel in enumerate(line):
            panel.imshow(images[column, 0].numpy(), cmap="gray", vmin=0, vmax=1)
            panel.set_xticks([])
            panel.set_yticks([])
            if logits is not None:
                said = int(logits[column].argmax())
                good = said == int(labels[column])
                color = "tab:green" if good else "tab:red"
                panel.set_xlabel(f"seen as {said}", color=color, fontsize=10, labelpad=2)
                for spine in panel.spines.values():
                    spine.set(color=color, linewidth=2.5)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=11)
    figure.suptitle(
        f"green: the classifier is right, red: it is fooled  (PGD, eps {SHOWN_EPS})", fontsize=12
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
