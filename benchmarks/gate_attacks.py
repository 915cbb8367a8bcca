"""Whether a gate holds against attacks that it was not trained on, and that know of it.

    python benchmarks/gate_attacks.py

MobileNetV1-0.75, the shipped AdvFilter. First attacks on the bare classifier, of which the gate
has only seen PGD: how many attacked images it takes for attacked, and the accuracy with it,
without it (all images filtered), and without any purifier. Then attacks through the purifier, end
to end, and on both of the gate's decisions at once: on the mean of what the classifier says of the
image and of what it says of the filtered image, so that a saturated gate hides no gradient.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from timing import write
from torch import Tensor, nn

from robust_restoration.data import load_labelled
from robust_restoration.evaluation.whitebox import attackable, log_mean_probability
from robust_restoration.models.classifiers import load_classifier, with_unit_range
from robust_restoration.models.create import create_attack, create_purifier

ATTACKS = ("pgd", "fgsm", "mifgsm", "tifgsm", "difgsm")
STRENGTHS = (3e-3, 1e-2)
BATCH = 22


class BothDecisions(nn.Module):
    """Log of the mean probability over an open and a closed gate."""

    unit_range = True

    def __init__(self, classifier: nn.Module, ungated: Any) -> None:
        super().__init__()
        self.classifier, self.ungated = classifier, ungated

    def forward(self, images: Tensor) -> Tensor:
        """(N, classes)."""
        seen = (self.ungated.rounded(images), self.ungated(images))
        return log_mean_probability(torch.stack([self.classifier(part) for part in seen]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, default=44)
    parser.add_argument("--white-box-images", type=int, default=22)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    bare = load_classifier("classifiers:mobilenetv1_075").to(memory_format=torch.channels_last)
    classifier = with_unit_range(bare).eval()
    purifier, ungated = (
        create_purifier("advfilter", weights="mobilenetv1_075", gate=gate).to(
            memory_format=torch.channels_last
        )
        for gate in (True, False)
    )
    test = load_labelled(given.data / "neurips2017_dev_110", size=224, limit=given.images)
    gated = {"gated": purifier, "filtered": ungated, "none": nn.Identity()}

    def measure(model: nn.Module, attack: str, eps: float, count: int) -> dict[str, float]:
        found = dict.fromkeys(("taken for attacked", *gated), 0.0)
        options: dict[str, Any] = {"eps": eps}
        if attack != "fgsm":
            options |= {"alpha": 2.5 * eps / given.steps, "steps": given.steps}
        attacker = create_attack(f"torchattacks/{attack}", model, **options)
        for start in range(0, count, BATCH):
            part = slice(start, min(start + BATCH, count))
            clean, labels = test.pixels(part), test.labels[part]
            torch.manual_seed(0)
            attacked = attacker(clean, labels) if eps else clean
            with torch.no_grad():
                shares = purifier.gate.share(purifier.rounded(attacked))
                found["taken for attacked"] += float(shares.sum()) / count
                for name, module in gated.items():
                    right = classifier(module(attacked)).argmax(dim=1) == labels
                    found[name] += float(right.double().sum()) / count
        return found

    report: dict[str, Any] = {"arguments": {**vars(given), "data": str(given.data)}}
    print("| attack | eps | taken for attacked | gated | all filtered | no purifier |")
    print("|---|---:|---:|---:|---:|---:|")

    def row(title: str, model: nn.Module, attack: str, eps: float, count: int) -> None:
        found = report[f"{title}, {eps:g}"] = measure(model, attack, eps, count)
        print(f"| {title} | {eps:g} |", " | ".join(f"{100 * v:.0f}" for v in found.values()), "|",
              flush=True)

    row("none", classifier, "fgsm", 0.0, given.images)
    for attack in ATTACKS:
        for eps in STRENGTHS:
            row(attack, classifier, attack, eps, given.images)
    whole, both = attackable(classifier, purifier, 1), BothDecisions(classifier, ungated)
    for title, model in (("through the purifier", whole), ("both decisions", both)):
        for eps in STRENGTHS:
            row(f"pgd, {title}", model.eval(), "pgd", eps, given.white_box_images)
    print(write("gate_attacks", report))


if __name__ == "__main__":
    main()
