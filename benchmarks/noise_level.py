"""What an image's noise level tells: attacked from clean, and one data set from another.

    python benchmarks/noise_level.py --cache FOLDER

Level is the mean of `noise_level`'s map. First, by strength, the share of pairs of an attacked and
a clean training image, of all there are, in which the attacked one has the higher level; the
attack is PGD-40 on MobileNetV1-0.75, whose pairs `train_advfilter.py mobilenet filtering` leaves.
Then medians of the level: training images, made softer, sharper or finer in colour, and test
images.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import classifiers
import torch
from robust_restoration_advfilter.colour_detail import with_colour_detail
from robust_restoration_advfilter.noise_level import noise_level, second_difference
from robust_restoration_advfilter.pairs import STRENGTHS, make_pairs
from robust_restoration_advfilter.sharpness import with_sharpness
from timing import write
from torch import Tensor
from train_advfilter import RUNS

from robust_restoration.data import load_labelled

AMOUNTS = (-0.5, 0.0, 0.5, 1.0)
COLOUR_AMOUNTS = (1.0, 2.0)


def level(images: Tensor) -> Tensor:
    """The mean level of each image."""
    return torch.cat([noise_level(part).mean(dim=(1, 2, 3)) for part in images.split(32)])


def colour_grain(images: Tensor) -> float:
    """The median over images of the mean size of what `noise_level` sees in their colours."""
    found = [
        second_difference(part - part.mean(dim=1, keepdim=True)).abs().mean(dim=(1, 2, 3))
        for part in images.split(32)
    ]
    return float(torch.cat(found).median())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=RUNS / "pairs")
    given = parser.parse_args()
    training = load_labelled(given.data / "imagenet_sample_1000", size=224)
    test = load_labelled(given.data / "neurips2017_dev_110", size=224)
    pairs = make_pairs(
        classifiers.mobilenetv1_075().to(memory_format=torch.channels_last), training, per_image=2,
        cache=given.cache,
    )
    told: dict[str, Any] = {}
    print("| eps | images | told from clean | median level: clean | attacked |")
    print("|---:|---:|---:|---:|---:|")
    for eps in STRENGTHS:
        images, draws = torch.isclose(pairs.strengths, torch.tensor(eps)).nonzero(as_tuple=True)
        clean = training.pixels(images)
        attacked = (clean + pairs.perturbations[images, draws].float()).clamp(0, 1)
        before, after = level(clean), level(attacked)
        # Other images' clean levels: of the same image the attacked copy always has the higher.
        share = float((after[:, None] > before[None]).double().mean())
        told[f"{eps:g}"] = {
            "images": len(images), "told": share,
            "clean": float(before.median()), "attacked": float(after.median()),
        }
        print(f"| {eps:g} | {len(images)} | {share:.2f} | {before.median():.2f} | "
              f"{after.median():.2f} |")
    sets = {
        f"training, sharpness {amount:g}": with_sharpness(training, amount, amount, seed=0)
        for amount in AMOUNTS
    }
    sets |= {
        f"training, colour detail {amount:g}": with_colour_detail(training, amount, amount, seed=0)
        for amount in COLOUR_AMOUNTS
    }
    medians, grain = {}, {}
    print("\n| clean images | median level | colour grain x 1000 |\n|---|---:|---:|")
    for name, data in {**sets, "test": test}.items():
        pixels = data.pixels(slice(None))
        medians[name], grain[name] = float(level(pixels).median()), colour_grain(pixels)
        print(f"| {name} | {medians[name]:.2f} | {1000 * grain[name]:.1f} |", flush=True)
    write("noise_level", {"told": told, "medians": medians, "colour_grain": grain})


if __name__ == "__main__":
    main()
