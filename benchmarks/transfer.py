"""How a purifier does before classifiers that it does not know, and under attacks of several kinds.

    python benchmarks/transfer.py

Gray-box: the attacks are made on the bare classifier. Rows are purifiers and plain transforms;
columns are classifiers and strengths. Of the four ImageNet classifiers EfficientNet-Lite2 took no
part in any training (``convert_lite2.py`` makes its weights). Every figure is an accuracy in per
cent with a 95 % interval (Wilson). Further tables have other attacks, and how much of AdvFilter's
first decoder, which leaves images alone, is in what it gives.
Attacked images are kept in ``runs/advfilter/transfer``; interrupted, it goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import classifiers
import torch
from folders import DATA, say_what_is_missing
from robust_restoration_advfilter.pairs import attack_of_strength
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.environment import environment
from robust_restoration.evaluation.result.intervals import share
from robust_restoration.files import write_json
from robust_restoration.models.classifiers import with_unit_range
from robust_restoration.models.create import create_purifier
from robust_restoration.models.shipped import shipped

BENCHES: dict[str, dict[str, Any]] = {
    "general": {
        "classifiers": (
            "mobilenetv1_075", "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"
        ),
        "data": ("neurips2017_dev_110", {"size": 224}),
        "images": 110,
        "batch": 10,
        "attack_images": 20,
    },
    # No classifier is left over here.
    "general-32": {
        "classifiers": ("resnet20_cifar10", "resnet32_cifar10"),
        "data": ("cifar10_subset/test.npz", {}),
        "images": 846,
        "batch": 200,
        "attack_images": 200,
    },
}
EPSILONS = (3e-3, 1e-2, 3e-2)
ATTACKS = ("mifgsm", "tifgsm", "difgsm", "pgdl2", "fgsm")
ATTACK_EPSILONS = (3e-3, 1e-2)
PLAIN = {
    "8 bits": ("bit_depth", {"bits": 8}),
    "median 3x3": ("median", {}),
    "blur 0.8": ("gaussian_blur", {}),
    "jpeg 75": ("jpeg", {}),
}
RESULTS = Path(__file__).parent / "results"


def attacked(name: str, attack: str, eps: float, images: LabelledImages, given: Any) -> Tensor:
    """The attacked images of one column, made once."""
    if attack == "none":
        return images.pixels(slice(None))
    path = given.runs / "transfer" / f"{name}-{attack}-{eps:g}.safetensors"
    if path.exists():
        delta = load_file(path)["perturbations"]
        if len(delta) >= len(images):
            return (images.pixels(slice(None)) + delta[: len(images)].float()).clamp(0, 1)
    classifier = getattr(classifiers, name)().to(memory_format=torch.channels_last)
    attacker = attack_of_strength(f"torchattacks/{attack}", classifier, eps, given.steps)
    torch.manual_seed(0)
    found = []
    for start in range(0, len(images), given.batch):
        part = slice(start, start + given.batch)
        clean = images.pixels(part)
        with torch.autocast("cpu", torch.bfloat16, enabled=given.bf16):
            found.append((attacker(clean, images.labels[part]) - clean).half())
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"perturbations": torch.cat(found)}, path)
    return (images.pixels(slice(None)) + torch.cat(found).float()).clamp(0, 1)


def rows_of(learned: dict[str, str]) -> dict[str, nn.Module]:
    """The rows: no purifier, the plain transforms, the learned ones."""
    rows: dict[str, nn.Module] = {"none": nn.Identity()}
    rows |= {name: create_purifier(entry, **o) for name, (entry, o) in PLAIN.items()}
    rows |= {
        name: create_purifier(name, weights=weights).to(memory_format=torch.channels_last)
        for name, weights in learned.items()
    }
    return rows


def measure(given: Any) -> dict[str, Any]:
    """Right answers by column and row, and the first decoder's mean weight."""
    bench = BENCHES[given.bench]
    path, options = bench["data"]
    test = load_labelled(given.data / path, **options)
    columns = [("none", 0.0, given.images)]
    columns += [("pgd", eps, given.images) for eps in EPSILONS]
    columns += [(a, eps, given.attack_images) for a in ATTACKS for eps in ATTACK_EPSILONS]
    found: dict[str, Any] = {"counts": {}, "weights": {}}
    if given.out.exists():
        found = json.loads(given.out.read_text())
    found["settings"] = {
        "steps": given.steps, "attacks in": "bfloat16" if given.bf16 else "float32",
        "data": test.name, "learned": given.learned, "classifiers": bench["classifiers"],
    }
    found["environment"] = environment()
    rows = rows_of(given.learned)
    for attack, eps, usual in columns:
        for name in bench["classifiers"]:
            key = f"{name}|{attack}|{eps:g}"
            told = found["counts"].setdefault(key, {"images": usual})
            left = {row: module for row, module in rows.items() if row not in told}
            if not left:
                continue
            count = told["images"]  # an earlier run may have had more or fewer
            images = test.subset(slice(count))
            seen = attacked(name, attack, eps, images, given)
            if given.attacks_only:
                continue
            classifier = with_unit_range(
                getattr(classifiers, name)().to(memory_format=torch.channels_last)
            )
            with torch.no_grad():
                for row, module in left.items():
                    right, weights = 0, []
                    for start in range(0, count, given.batch):
                        part = slice(start, start + given.batch)
                        if row == "advfilter":
                            made = module.outputs(seen[part])  # type: ignore[operator]
                            weights += made["weight"].mean(dim=(1, 2, 3)).tolist()
                            purified = made["out"].clamp(0, 1)
                        else:
                            purified = module.eval()(seen[part])
                        answer = classifier(purified).argmax(dim=1)
                        right += int((answer == images.labels[part]).sum())
                    told[row] = right
                    if weights:
                        found["weights"][key] = sum(weights) / len(weights)
            write_json(given.out, found)
            print(key, told, flush=True)
    return found


def _table(found: dict[str, Any], columns: list[tuple[str, float]], names: list[str]) -> str:
    counts = found["counts"]
    keys = [f"{name}|{attack}|{eps:g}" for name in names for attack, eps in columns]
    keys = [key for key in keys if key in counts and len(counts[key]) > 1]
    lines = ["| | " + " | ".join(
        f"{key.split('|')[0]}, {key.split('|')[1].replace('none', 'clean')} {key.split('|')[2]} "
        f"({counts[key]['images']} images)" for key in keys) + " |", "|---|" + "---:|" * len(keys)]
    for row in ["none", *PLAIN, *found["settings"]["learned"]]:
        cells = []
        for key in keys:
            if row not in counts[key]:
                cells.append("")
                continue
            right, count = counts[key][row], counts[key]["images"]
            mean, low, high = share(right, count)
            cells.append(f"{100 * mean:.0f} ({100 * low:.0f}-{100 * high:.0f})")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def markdown(found: dict[str, Any]) -> str:
    """The tables."""
    parts = []
    for name in found["settings"]["classifiers"]:
        columns = [("none", 0.0), *(("pgd", eps) for eps in EPSILONS)]
        parts.append(_table(found, columns, [name]))
    for eps in ATTACK_EPSILONS:
        for attack in ATTACKS:
            parts.append(_table(found, [(attack, eps)], list(found["settings"]["classifiers"])))
    weights = "\n".join(f"| {key} | {value:.2f} |" for key, value in found["weights"].items())
    parts.append(f"| column | first decoder's mean weight |\n|---|---:|\n{weights}")
    return "\n\n".join(parts)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", choices=BENCHES, default="general")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--runs", type=Path, default=classifiers.RUNS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--images", type=int)
    parser.add_argument("--attack-images", type=int)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--bf16", action="store_true", help="attack in bfloat16, which is faster")
    parser.add_argument("--attacks-only", action="store_true", help="only make attacked images")
    parser.add_argument("--learned", type=json.loads,
                        help="purifiers and their weights, as JSON; tags or files")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out = given.out or RESULTS / f"advfilter-transfer-{given.bench}.json"
    given.images = given.images or BENCHES[given.bench]["images"]
    given.attack_images = given.attack_images or BENCHES[given.bench]["attack_images"]
    given.learned = given.learned or {
        name: given.bench for name in ("filtering", "advfilter")
        if given.bench in shipped("purifiers", name)
    }
    given.batch = BENCHES[given.bench]["batch"]
    found = measure(given)
    print(markdown(found))


if __name__ == "__main__":
    say_what_is_missing()
    main()
