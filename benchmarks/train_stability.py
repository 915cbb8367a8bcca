"""Denoisers before CIFAR-10's frozen ResNet-20, for certificates by randomised smoothing.

``python benchmarks/train_stability.py train NAME`` trains one of `RECIPES` in
``runs/stability/NAME`` and goes on there after an interruption; ``ship NAME`` copies the weights
with their card into the plugin; ``tables`` prints the tables of RESULTS.md from what this wrote:

    robust-restoration certify --classifier benchmarks.classifiers:resnet20_cifar10 \
        --data cifar10_subset:test --every 4 --sigma 0.25 --draws 1000 \
        --denoiser resunet_denoiser=cifar10-sigma025 \
        -o benchmarks/results/certify-cifar10-resnet20-sigma025

and the same with ``--sigma 0.12 --draws 500 --denoiser dncnn_c=cifar10-sigma012`` and ``sigma012``
in the name of the result.

The training images are those of ``train_adversarial_purifier.py``; nothing was chosen on others.
``sigma025-first`` began from weights of 1,189 steps, bfloat16, that the package shipped before
(SHA-256 c66ecf58...), and those from the first weights of the purifier ``resunet`` (trained through
attacks on 217,600 images), whose encoder knows the classes; ``sigma025`` goes on from the former,
with a rate that falls.
``sigma012-first`` begins from the plain denoiser ``dncnn_c=nt``, and ``sigma012`` goes on from it.
ResNet-32 takes no part.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from classifiers import resnet20_cifar10
from folders import DATA, say_what_is_missing
from robust_restoration_certify.certificates import Certificates
from robust_restoration_certify.curve import draw
from torch import nn
from train_adversarial_purifier import training_images

from robust_restoration import train
from robust_restoration.environment import environment
from robust_restoration.evaluation.result.intervals import Interval
from robust_restoration.models.create import create_defense, create_denoiser
from robust_restoration.models.weights import read_weights, save_weights
from robust_restoration.training import CHECKPOINT, minutes_trained

HERE = Path(__file__).parent
RUNS = Path("runs/stability")
SHIPPED = {
    "resunet_denoiser": Path("plugins/robust_restoration_purifiers/weights"),
    "dncnn_c": Path("plugins/robust_restoration_denoisers/weights"),
}
RESULTS = HERE / "results"

BEFORE = {  # what the weights had gone through that a recipe begins from
    "sigma025": "1,189 steps of 128 images in bfloat16 from the purifier resunet.resnet20_cifar10, "
    "then the recipe sigma025-first, 500 steps at a constant rate",
    "sigma012": "the weights dncnn_c.nt, then the recipe sigma012-first, 250 steps",
}
TRAINING = {
    "batch_size": 128, "betas": (0.9, 0.99), "schedule": "linear", "clip_grad": 2.0,
    "save_every": 100, "validate_every": 300,
}
# "begins" is another recipe, or a tag of shipped weights.
RECIPES: dict[str, dict[str, Any]] = {
    "sigma025-first": {
        "entry": "resunet_denoiser", "begins": "cifar10-sigma025", "sigma": 0.25, "steps": 500,
        "lr": 1e-3, "ema": 0.998, "warmup": 0.1, "schedule": "constant",
    },
    "sigma025": {
        "entry": "resunet_denoiser", "begins": "sigma025-first", "sigma": 0.25, "steps": 1300,
        "lr": 1e-3, "ema": 0.998, "warmup": 20 / 1300, "decay_from": 0.0,
    },
    "sigma012-first": {
        "entry": "dncnn_c", "begins": "nt", "sigma": 0.12, "steps": 250, "lr": 1e-3, "ema": 0.99,
        "warmup": 10 / 250, "decay_from": 0.0, "validate_every": 50,
    },
    "sigma012": {
        "entry": "dncnn_c", "begins": "sigma012-first", "sigma": 0.12, "steps": 350, "lr": 1e-3,
        "ema": 0.99, "warmup": 10 / 350, "decay_from": 0.0, "validate_every": 50,
    },
}


def untrained(name: str) -> nn.Module:
    """What a recipe trains, before it does."""
    recipe = RECIPES[name]
    entry, sigma, begins = recipe["entry"], recipe["sigma"], recipe["begins"]
    another = RECIPES.get(begins)
    before = create_denoiser(entry, weights=another["begins"] if another else begins)
    denoiser = create_denoiser(entry, **{**before.options, "sigma_range": (0.0, sigma)})
    denoiser.load_state_dict(_average(begins) if another else before.state_dict())
    return denoiser


def _average(name: str) -> dict[str, torch.Tensor]:
    tensors, _ = read_weights(RUNS / name / CHECKPOINT)
    return {k[8:]: v for k, v in tensors.items() if k.startswith("average.")}


def train_one(name: str, root: Path, steps: int | None) -> None:
    """Train a recipe, or go on with it."""
    settings = {**TRAINING, **RECIPES[name]}
    sigma = settings.pop("sigma")
    del settings["begins"], settings["entry"]
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
    entry = RECIPES[name]["entry"]
    model = untrained(name)
    model.load_state_dict(_average(name))
    _, metadata = read_weights(RUNS / name / CHECKPOINT)
    settings = json.loads((RUNS / name / "settings.json").read_text())
    history = json.loads((RUNS / name / "history.json").read_text())
    images, _ = training_images(root)
    card = {
        "entry": entry, "options": model.options, "classifier": "resnet20_cifar10",
        "input_size": 32, "data": images.name,
        "training": {
            "defense": "stability", "recipe": RECIPES[name], "augmentation": "shift 4, mirror",
            "before": BEFORE[name], **settings,
        },
        "minutes": minutes_trained(metadata), "validation": history[-1],
        "environment": environment(),
    }
    result = RESULTS / f"certify-cifar10-resnet20-{name}.json"
    if result.exists():
        found = Certificates.from_json(result)
        radii = (0.0, 0.125, 0.25, 0.375, 0.5)
        card["numbers"] = {
            "what": "certified accuracy of ResNet-20",
            "settings": found.settings,
            "certified": {f"{radius:g}": _plain(found.certified(radius)) for radius in radii},
            "abstained": _plain(found.abstentions()),
        }
    save_weights(
        model, SHIPPED[entry] / f"{entry}.cifar10-{name}.safetensors", kind="denoisers", name=entry,
        card=card, half=True,
    )


def _plain(interval: Interval) -> dict[str, float]:
    return {"share": interval.mean, "low": interval.low, "high": interval.high}


def tables() -> None:
    """Print the certificates' tables, and draw their curves into one picture."""
    found = {
        path.stem: Certificates.from_json(path)
        for path in sorted(RESULTS.glob("certify-*.json")) if not path.stem.endswith("-attacked")
    }
    for result in found.values():
        print(result.to_markdown(), end="\n\n")
    draw(
        {f"{name.split('-')[2]}, sigma {r.settings['sigma']}": r for name, r in found.items()},
        HERE.parent / "docs/certified.png",
    )


if __name__ == "__main__":
    say_what_is_missing()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "ship", "tables"))
    parser.add_argument("name", nargs="?", default="sigma025", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, default=DATA)
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
