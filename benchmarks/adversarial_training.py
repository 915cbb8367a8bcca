"""AdvFilter's Table 5 question on MNIST: does a purifier help an adversarially trained classifier?

Purifiers trained for the clean LeNet-5 (`train_advfilter.py mnist`) stand in front of that one and
of the adversarially trained one. As in the paper, gray-box images are made on the classifier
behind.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from classifiers import RUNS
from evaluate_advfilter import threats_of
from folders import DATA, say_what_is_missing

from robust_restoration import load_classifier
from robust_restoration.data import load_labelled
from robust_restoration.evaluation import evaluate
from robust_restoration.models.create import create_purifier

RESULTS = Path(__file__).parent / "results"
STRENGTHS = (0.01, 0.03, 0.05, 0.1, 0.3, 0.5)


if __name__ == "__main__":
    say_what_is_missing()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    purifiers = {
        name: create_purifier(name, weights=str(RUNS / "mnist" / name / f"{name}.safetensors"))
        for name in ("advfilter", "filtering", "additive")
    }
    for kind in ("clean", "adversarial"):
        result = evaluate(
            load_classifier(f"classifiers:lenet5_mnist_{kind}"),
            load_labelled("mnist:test", channels=1, limit=given.images, root=given.data),
            purifiers={**purifiers, "median 3x3": create_purifier("median")},
            eps=STRENGTHS,
            threats=threats_of(40, 200, 20, 100),
            controls=False,
            checks=False,
            batch_size=100,
            state=RUNS / "mnist" / f"evaluation-{kind}.json",
        )
        result.to_json(RESULTS / f"mnist-{kind}.json")
        print(f"\nLeNet-5, {kind} training\n{result.to_markdown()}")
        print("\n".join(result.warnings()))
