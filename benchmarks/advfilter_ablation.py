"""AdvFilter's Tables 1, 2, 4 and 5 on CIFAR-10, every row at the same budget.

    python benchmarks/advfilter_ablation.py train      # each purifier in turn; goes on where it was
    python benchmarks/advfilter_ablation.py evaluate   # the tables, into results/

As in the paper: PGD on ResNet-20 at twelve strengths, one set of attacked images for all rows, no
rounding to 8 bits, no detector of attacks. Unlike it: compact networks, few steps, 2,330 training
images with their mirror images and shifts. Attacks are gray-box, with PGD(40, eps) at 13 strengths
and PGD(n, 0.3); for Table 5 they are made on an adversarially trained ResNet, or through purifier
and that ResNet.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import classifiers
import torch
from folders import DATA, say_what_is_missing
from robust_restoration_advfilter.pairs import PAPER_EPSILONS
from torch import Tensor, nn
from train_advfilter import shifted

from robust_restoration import (
    PurifiedClassifier,
    create_attack,
    create_defense,
    create_purifier,
    train,
)
from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.environment import environment
from robust_restoration.files import write_json
from robust_restoration.images.metrics import psnr, ssim
from robust_restoration.models.classifiers import with_unit_range
from robust_restoration.models.weights import save_weights

RESULTS = Path(__file__).parent / "results" / "advfilter-ablation.json"
STRENGTHS = (0.0, *sorted(PAPER_EPSILONS))
LONG = (10, 30, 50, 70, 90)  # steps of PGD(n, 0.3)
IMAGE, SEMANTIC, BOTH = {"semantic": 0.0}, {"image": 0.0}, {}
# Purifier and losses; "least" leaves out what is attacked less strongly.
ROWS: dict[str, tuple[str, dict[str, Any], float]] = {
    "Add(L_img)": ("additive", IMAGE, 0.0),
    "Add(L_sem)": ("additive", SEMANTIC, 0.0),
    "Add(both)": ("additive", BOTH, 0.0),
    "Filt(L_img)": ("filtering", IMAGE, 0.0),
    "Filt(L_sem)": ("filtering", SEMANTIC, 0.0),
    "Filt(both)": ("filtering", BOTH, 0.0),
    "Filt*(L_img)": ("filtering", IMAGE, 0.1),
    "AdvFilter(L_img)": ("advfilter", IMAGE, 0.0),
    "AdvFilter(both)": ("advfilter", BOTH, 0.0),
}


def file_of(runs: Path, row: str) -> Path:
    """Where a row's weights are."""
    return runs / row / "model.safetensors"


def made(row: str) -> nn.Module:
    """A row's purifier, untrained."""
    name = ROWS[row][0]
    options = {"detector": False} if name == "advfilter" else {}
    return create_purifier(name, grain=False, **options)


def train_rows(given: argparse.Namespace) -> None:
    """Train every row that is not trained yet, all on the same pairs, steps and seed."""
    classifier = classifiers.resnet20_cifar10().requires_grad_(False)
    data = load_labelled(given.data / "cifar10_subset/train.npz", limit=given.training_images)
    for row, (_, losses, least) in ROWS.items():
        if file_of(given.runs, row).exists():
            continue
        torch.manual_seed(0)
        model = made(row)
        # The paper's domains: the first decoder sees all strengths, the second large ones.
        defense = create_defense(
            "advfilter", classifier=classifier, attacks=("torchattacks/pgd",),
            epsilons=PAPER_EPSILONS, per_image=8, augment=shifted(32), clean_share=1 / 13,
            fusion_clean_share=1 / 13, small_up_to=0.5, large_from=0.1, fusion_share=0.2,
            cache=given.runs / "pairs", **losses,
        )
        pairs, _ = defense.prepare(data, val_fraction=0.1)
        if least:
            pairs = pairs.subset((pairs.epsilons >= 0.999 * least).nonzero()[:, 0])
            pairs.clean_share = 0.0
        train(
            model, defense, pairs, out=given.runs / row, steps=given.steps, batch_size=48, lr=1e-3,
            warmup=0.03, clip_grad=1.0, precision="bf16", ema=0.99, seed=0,
        )
        save_weights(model, file_of(given.runs, row), kind="purifiers", name=ROWS[row][0])


class Branch(nn.Module):
    """One of AdvFilter's two filters, without the other."""

    def __init__(self, purifier: nn.Module, weight: float) -> None:
        super().__init__()
        self.purifier, self.weight = purifier, weight

    def forward(self, images: Tensor) -> Tensor:
        """The first decoder's image for a weight of 1, the second's for 0."""
        weight = torch.full((len(images), 1, 1, 1), self.weight)
        found: Tensor = self.purifier.outputs(images, weight=weight)["out"]  # type: ignore[operator]
        return found.clamp(0, 1)


def trained(runs: Path) -> dict[str, nn.Module]:
    """The rows that are trained, and AdvFilter's branches."""
    rows: dict[str, nn.Module] = {}
    for row, (name, *_) in ROWS.items():
        if not file_of(runs, row).exists():
            continue
        rows[row] = create_purifier(name, weights=str(file_of(runs, row))).eval()
        if name == "advfilter":
            rows[row.replace("(", "_sl(")] = Branch(rows[row], 1.0)
            rows[row.replace("(", "_m(")] = Branch(rows[row], 0.0)
    return rows


def pgd(model: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int) -> Tensor:
    """PGD whose steps together are 4/3 eps long; in batches of 200."""
    if eps == 0:
        return images
    attack = create_attack(
        "torchattacks/pgd", model, eps=eps, steps=steps, alpha=max(4 / 3 / steps, 1 / 30) * eps
    )
    parts = zip(images.split(200), labels.split(200), strict=True)
    return torch.cat([attack(x, y) for x, y in parts])


@torch.no_grad()
def figures(
    purifier: nn.Module | None, classifier: nn.Module, seen: Tensor, clean: Tensor, labels: Tensor
) -> dict[str, float]:
    """Accuracy, and how near the purified images are to the clean ones."""
    parts = seen.split(200) if purifier is None else [purifier(x) for x in seen.split(200)]
    purified = torch.cat(list(parts))
    right = torch.cat([classifier(x).argmax(dim=1) for x in purified.split(200)]) == labels
    far = psnr(purified, clean).clamp(max=100)
    return {
        "accuracy": float(right.float().mean()),
        "psnr": float(far.mean()),
        "ssim": float(ssim(purified, clean).mean()),
    }


def evaluate_rows(given: argparse.Namespace) -> dict[str, Any]:
    """All tables."""
    data = load_labelled(given.data / "cifar10_subset/test.npz", limit=given.images)
    rows = trained(given.runs)
    found: dict[str, Any] = {
        "settings": {"images": len(data), "steps of training": given.steps, "seed": 0},
        "environment": environment(),
    }
    plain = with_unit_range(classifiers.resnet20_cifar10().eval().requires_grad_(False))
    columns = [(e, 40) for e in STRENGTHS] + [(0.3, n) for n in LONG]
    found["gray-box"] = _gray(plain, rows, data, columns)
    write_json(given.out, found)
    robust = with_unit_range(
        classifiers.resnet4b_cifar10_robust_2px().eval().requires_grad_(False)
    )
    few = data.subset(slice(given.robust_images))
    chosen = {r: rows[r] for r in ("Add(L_img)", "Filt(L_img)", "AdvFilter(L_img)") if r in rows}
    strengths = [(e, 40) for e in (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1)]
    found["before an adversarially trained classifier, gray-box"] = _gray(
        robust, chosen, few, strengths
    )
    write_json(given.out, found)
    found["before an adversarially trained classifier, white-box"] = _white(
        robust, chosen, few, strengths
    )
    found["settings"]["images before the robust classifier"] = len(few)
    write_json(given.out, found)
    return found


def _gray(
    classifier: nn.Module, rows: dict[str, nn.Module], data: LabelledImages, columns: list[Any]
) -> dict[str, Any]:
    images, labels = data.pixels(slice(None)), data.labels
    found: dict[str, Any] = {}
    for eps, steps in columns:
        torch.manual_seed(0)
        seen = pgd(classifier, images, labels, eps, steps)
        for row, purifier in {"none": None, **rows}.items():
            told = figures(purifier, classifier, seen, images, labels)
            found.setdefault(row, {})[f"{eps:g}/{steps}"] = told
        shown = {row: round(v[f"{eps:g}/{steps}"]["accuracy"], 3) for row, v in found.items()}
        print(eps, steps, shown, flush=True)
    return found


def _white(
    classifier: nn.Module, rows: dict[str, nn.Module], data: LabelledImages, columns: list[Any]
) -> dict[str, Any]:
    images, labels = data.pixels(slice(None)), data.labels
    found: dict[str, Any] = {}
    for row, purifier in {"none": None, **rows}.items():
        whole = classifier if purifier is None else PurifiedClassifier(classifier, purifier)
        for eps, steps in columns:
            torch.manual_seed(0)
            seen = pgd(whole, images, labels, eps, steps)
            found.setdefault(row, {})[f"{eps:g}/{steps}"] = figures(
                purifier, classifier, seen, images, labels
            )
        print(row, {k: round(v["accuracy"], 3) for k, v in found[row].items()}, flush=True)
    return found


def markdown(found: dict[str, Any]) -> str:
    """A table of accuracies for each kind of attack, then of PSNR and SSIM."""
    parts = []
    for title, table in found.items():
        if title in ("settings", "environment"):
            continue
        for metric, form in (("accuracy", "{:.3f}"), ("psnr", "{:.2f}"), ("ssim", "{:.3f}")):
            if metric != "accuracy" and title != "gray-box":
                continue
            columns = list(next(iter(table.values())))
            lines = [f"**{title}: {metric}** (eps/steps)", "",
                     "| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
            lines += [
                f"| {row} | " + " | ".join(form.format(told[c][metric]) for c in columns) + " |"
                for row, told in table.items()
            ]
            parts.append("\n".join(lines))
    return "\n\n".join(parts)


if __name__ == "__main__":
    say_what_is_missing()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "evaluate"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--runs", type=Path, default=classifiers.RUNS / "ablation")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--training-images", type=int, help="all of 2,330 by default")
    parser.add_argument("--images", type=int, help="all of 846 by default")
    parser.add_argument("--robust-images", type=int, default=200)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.what == "train":
        train_rows(given)
    else:
        print(markdown(evaluate_rows(given)))
