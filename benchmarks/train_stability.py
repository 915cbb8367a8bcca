"""Denoisers before CIFAR-10's frozen ResNet-20, for certificates by randomised smoothing.

``python benchmarks/train_stability.py train NAME`` trains one of `RECIPES` in
``runs/stability/NAME`` and goes on there after an interruption; ``ship NAME`` copies the weights
with their card into the plugin; ``tables`` prints the tables of RESULTS.md from what this wrote:

    robust-restoration certify --classifier benchmarks.classifiers:resnet20_cifar10 \
        --data cifar10_subset:test --every 4 --sigma 0.25 --draws 500 --autocast bf16 \
        --denoiser resunet_denoiser=cifar10-sigma025 \
        -o benchmarks/results/certify-cifar10-resnet20-sigma025

The training images are those of ``train_adversarial_purifier.py``; nothing was chosen on others.
``sigma025`` begins from the purifier ``resunet`` that was trained through attacks, whose encoder
knows the classes, and ``sigma012`` from ``sigma025``. ResNet-32 takes no part. The shipped weights
are of a standalone loop with the same loss and settings (their cards say which); a training by this
script has the package's data order and draws, so its weights are others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from classifiers import resnet20_cifar10
from torch import nn
from train_adversarial_purifier import training_images

from robust_restoration import train
from robust_restoration.environment import environment
from robust_restoration.models.create import create_defense, create_denoiser, create_purifier
from robust_restoration.models.weights import read_weights, save_weights
from robust_restoration.training import CHECKPOINT, minutes_trained

HERE = Path(__file__).parent
RUNS = Path("runs/stability")
SHIPPED = Path("plugins/robust_restoration_purifiers/weights")
RESULTS = HERE / "results"

TRAINING = {
    "batch_size": 128, "betas": (0.9, 0.99), "schedule": "linear", "clip_grad": 2.0,
    "precision": "bf16", "save_every": 100, "validate_every": 250,
}
RECIPES: dict[str, dict[str, Any]] = {
    "sigma025": {
        "sigma": 0.25, "steps": 1189, "lr": 1e-3, "ema": 0.998, "warmup": 50 / 1189,
        "decay_from": 1 - 160 / 1189,
    },
    "sigma012": {
        "sigma": 0.12, "steps": 110, "lr": 5e-4, "ema": 0.98, "warmup": 10 / 110,
        "decay_from": 0.0,
    },
}


def untrained(name: str) -> nn.Module:
    """What a recipe trains, before it does."""
    sigma = RECIPES[name]["sigma"]
    denoiser = create_denoiser("resunet_denoiser", sigma_range=(0.0, sigma))
    if name == "sigma012":
        denoiser.load_state_dict(_average("sigma025"))
    else:
        purifier = create_purifier("resunet", weights="resnet20_cifar10")
        denoiser.network.load_state_dict(purifier.state_dict())
    return denoiser


def _average(name: str) -> dict[str, torch.Tensor]:
    tensors, _ = read_weights(RUNS / name / CHECKPOINT)
    return {k[8:]: v for k, v in tensors.items() if k.startswith("average.")}


def train_one(name: str, root: Path, steps: int | None) -> None:
    """Train a recipe, or go on with it."""
    settings = {**TRAINING, **RECIPES[name]}
    sigma = settings.pop("sigma")
    settings["steps"] = steps or settings["steps"]
    images, held_out = training_images(root)
    defense = create_defense(
        "stability", classifier=resnet20_cifar10(), sigma=sigma, shift=4, mirror=True
    )
    plain = create_defense("stability", classifier=resnet20_cifar10(), sigma=sigma)
    training, _ = defense.prepare(images, val_fraction=0.0)
    validation, _ = plain.prepare(held_out.subset(slice(500)), val_fraction=0.0)
    train(
        untrained(name), defense, training, out=RUNS / name, validation=validation, **settings
    )


def ship(name: str, root: Path) -> None:
    """Copy a trained denoiser's weights and card into the plugin."""
    model = untrained(name)
    model.load_state_dict(_average(name))
    _, metadata = read_weights(RUNS / name / CHECKPOINT)
    settings = json.loads((RUNS / name / "settings.json").read_text())
    history = json.loads((RUNS / name / "history.json").read_text())
    images, _ = training_images(root)
    card = {
        "entry": "resunet_denoiser", "options": model.options, "classifier": "resnet20_cifar10",
        "input_size": 32, "data": images.name,
        "training": {"defense": "stability", "recipe": RECIPES[name], **settings},
        "minutes": minutes_trained(metadata), "validation": history[-1],
        "environment": environment(),
    }
    save_weights(
        model, SHIPPED / f"resunet_denoiser.cifar10-{name}.safetensors", kind="denoisers",
        name="resunet_denoiser", card=card, half=True,
    )


def tables() -> None:
    """Print the certificates' tables, and draw their curves into one picture."""
    from robust_restoration_certify.certificates import Certificates
    from robust_restoration_certify.curve import draw

    found = {
        path.stem: Certificates.from_json(path) for path in sorted(RESULTS.glob("certify-*.json"))
    }
    for result in found.values():
        print(result.to_markdown(), end="\n\n")
    draw(
        {f"{name.split('-')[2]}, sigma {r.settings['sigma']}": r for name, r in found.items()},
        HERE.parent / "docs/certified.png",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "ship", "tables"))
    parser.add_argument("name", nargs="?", default="sigma025", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.what == "train":
        train_one(given.name, given.data, given.steps)
    elif given.what == "ship":
        ship(given.name, given.data)
    else:
        tables()
