"""How many of MobileNet's predictions a purifier leaves as they are when nobody attacks.

    python benchmarks/clean_agreement.py

On the training images that were held back, and on the test set; by the rows that
`train_advfilter.py mobilenet` left, and by plain transforms. Unlike accuracy it counts only what
the purifier changes. In brackets, for an AdvFilter, the share of the first decoder, which is there
for clean images, in what it gives; and for one with a gate, the share of the images that it filters
at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from evaluate_advfilter import rows_of
from timing import write
from torch import Tensor, nn

from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.models.classifiers import load_classifier, with_unit_range

HELD = 50  # as many of the thousand as a training holds back, by the same seed


def predictions(classifier: nn.Module, images: LabelledImages, purifier: nn.Module) -> Tensor:
    """The class of each image behind a purifier."""
    with torch.no_grad():
        return torch.cat([
            classifier(purifier(images.pixels(slice(n, n + 25)))).argmax(dim=1)
            for n in range(0, len(images), 25)
        ])


def shares(purifier: nn.Module, images: LabelledImages) -> dict[str, float]:
    """The first decoder's mean weight, and how much of the images the gate lets be filtered."""
    found: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for start in range(0, len(images), 25):
            part = images.pixels(slice(start, start + 25))
            if hasattr(purifier, "fusion"):
                weight = purifier.outputs(part)["weight"]
                found.setdefault("first decoder", []).append(weight.mean(dim=(1, 2, 3)))
            if getattr(purifier, "gate", None) is not None:
                share = purifier.gate.share(purifier.rounded(part))
                found.setdefault("filtered", []).append(share.flatten())
    return {name: float(torch.cat(values).mean()) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    bare = load_classifier("classifiers:mobilenetv1_075").to(memory_format=torch.channels_last)
    classifier = with_unit_range(bare).eval()
    training = load_labelled(given.data / "imagenet_sample_1000", size=224)
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0))
    sets = {
        "held-back training images": training.subset(order[:HELD]),
        "test images": load_labelled(given.data / "neurips2017_dev_110", size=224),
    }
    before = {name: predictions(classifier, images, nn.Identity()) for name, images in sets.items()}
    print("| predictions kept, % |", " | ".join(f"{n} ({len(i)})" for n, i in sets.items()), "|")
    print("|---|" + "---:|" * len(sets))
    kept: dict[str, dict[str, float]] = {}
    told: dict[str, dict[str, dict[str, float]]] = {}
    for row, purifier in rows_of("mobilenet").items():
        purifier.eval()
        kept[row] = {
            name: float((predictions(classifier, images, purifier) == before[name]).double().mean())
            for name, images in sets.items()
        }
        told[row] = {name: shares(purifier, images) for name, images in sets.items()}
        cells = []
        for name, given_shares in told[row].items():
            words = ", ".join(f"{what} {share:.2f}" for what, share in given_shares.items())
            cells.append(f"{100 * kept[row][name]:.0f}" + (f" ({words})" if words else ""))
        print(f"| {row} |", " | ".join(cells), "|", flush=True)
    write("clean_agreement", {"kept": kept, "shares": told})


if __name__ == "__main__":
    main()
