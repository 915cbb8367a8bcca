"""AdvFilter's Table 1 on our classifiers.

``python benchmarks/evaluate_advfilter.py BENCH``, with BENCH mobilenet or cifar.

Gray-box as in the paper, with plain transforms as controls, and white-box and Square beside. The
purifiers are those that are shipped. Interrupted, it goes on. Other classifiers and other attacks
are in ``transfer.py``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from classifiers import RUNS
from folders import DATA, say_what_is_missing

from robust_restoration import load_classifier
from robust_restoration.contracts import Purifier
from robust_restoration.data import load_labelled
from robust_restoration.evaluation import Result, Threat, evaluate
from robust_restoration.models.create import create_purifier
from robust_restoration.models.shipped import shipped

RESULTS = Path(__file__).parent / "results"

# AdvFilter, Table 1: {1, 3, 5} * 10^-m for m = 4, 3, 2, 1.
STRENGTHS = tuple(float(f"{digit}e-{power}") for power in (4, 3, 2, 1) for digit in (1, 3, 5))
BENCHES = {
    "mobilenet": {
        "classifier": "classifiers:mobilenetv1_075",
        "weights": "general",
        "data": "neurips2017_dev_110",
        "size": 224,
        "eps": (5e-4, 1e-3, 3e-3, 1e-2, 3e-2),
        "steps": 40,
        "white_box_images": 12,
        "white_box_steps": 10,
        "square_queries": 50,
        "batch_size": 22,
    },
    "cifar": {
        "classifier": "classifiers:resnet20_cifar10",
        "weights": "general-32",
        "data": "cifar10_subset/test.npz",
        "eps": STRENGTHS,
        "steps": 40,
        "white_box_images": 100,
        "white_box_steps": 20,
        "square_queries": 100,
        "batch_size": 100,
    },
}
CONTROLS = {
    "median 3x3": ("median", {}),
    "blur 0.8": ("gaussian_blur", {}),
    "jpeg 75": ("jpeg", {}),
    "5 bits": ("bit_depth", {}),
    "8 bits": ("bit_depth", {"bits": 8}),
}


def rows_of(bench: str) -> dict[str, Purifier]:
    """The purifiers that are shipped for a bench, and the controls, by the names of their rows."""
    purifiers = {}
    for name in ("advfilter", "filtering", "additive"):
        if BENCHES[bench]["weights"] in shipped("purifiers", name):
            made = create_purifier(name, weights=BENCHES[bench]["weights"])
            purifiers[name] = made.to(memory_format=torch.channels_last)
    for name, (transform, arguments) in CONTROLS.items():
        purifiers[name] = create_purifier(transform, **arguments)
    return purifiers


def threats_of(
    steps: int, white_box_images: int, white_box_steps: int, square_queries: int
) -> list[Threat]:
    """Gray-box as in the paper, steps of 4/3 eps in all; white-box and Square on fewer images."""
    return [
        Threat("gray-box", {"steps": steps, "alpha": f"{4 / 3 / steps:.6f}eps"}),
        Threat("white-box-quick", {"steps": white_box_steps}, limit=white_box_images),
        Threat(
            "black-box", {"n_queries": square_queries}, limit=white_box_images, name="square"
        ),
    ]


def measure(bench: str, root: Path) -> Result:
    """Evaluate every trained purifier of a bench, and the controls."""
    options = {k: v for k, v in BENCHES[bench].items() if k != "weights"}
    classifier = load_classifier(options.pop("classifier"))
    classifier = classifier.to(memory_format=torch.channels_last)
    data = load_labelled(
        root / options.pop("data"), size=options.pop("size", None), limit=options.pop("limit", None)
    )
    purifiers = rows_of(bench)
    threats = threats_of(
        **{k: options.pop(k) for k in (
            "steps", "white_box_images", "white_box_steps", "square_queries"
        )}
    )
    state = RUNS / bench / "evaluation.json"
    result = evaluate(
        classifier, data, purifiers=purifiers, threats=threats, state=state, controls=False,
        checks=False, **options,
    )
    result.to_json(RESULTS / f"advfilter-{bench}.json")
    result.plot(RESULTS / f"advfilter-{bench}.png")
    return result


if __name__ == "__main__":
    say_what_is_missing()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = measure(given.bench, given.data)
    print(found.to_markdown())
    for metric in ("psnr", "ssim"):
        print(f"\n{metric}\n{found.to_markdown(metric)}")
    print("\n".join(found.warnings()))
