"""Train the purifiers that the package ships: ``python benchmarks/train_advfilter.py BENCH NAME``.

BENCH is ``general``, for photographs before any classifier, ``general-32``, for colour images of 32
pixels, or ``mnist``; NAME a purifier. Runs stand in ``runs/advfilter/BENCH/NAME`` and go on there
after an interruption. ``--hold-out CLASSIFIER`` trains without one of the bench's classifiers, for
deciding on a recipe: what it does before that one is what a user's classifier will see. ``--ship``
copies the weights, as float16 with their card, into the plugin.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import classifiers
import torch
from folders import DATA, say_what_is_missing
from robust_restoration_advfilter.augmentation import photographic
from torch import nn

from robust_restoration.data import load_labelled
from robust_restoration.environment import environment
from robust_restoration.models.create import create_defense, create_purifier
from robust_restoration.models.weights import save_weights
from robust_restoration.training import train

SHIPPED = Path("plugins/robust_restoration_advfilter/weights")

BENCHES: dict[str, dict[str, Any]] = {
    "general": {
        "classifiers": ("mobilenetv1_075", "efficientnet_lite0", "efficientnet_lite1"),
        # The first are of the test set's origin, other images; the second leave room for crops.
        "data": (
            ("neurips2017_dev_train_300", {"size": 224}),
            ("imagenet_sample_1000", {"size": 256, "limit": 672}),
        ),
        "size": 224,
        "augment": "photographic",
        "purifier": {"input_bits": 8},
        # Some clean images train the second decoder too, so that it spoils less of what the
        # detector takes for attacked. The fusion net's convolutions stay at zero.
        "training": {
            "attack_steps": 8, "autocast": "bf16", "per_image": 2, "large_from": 0.0,
            "clean_share": 0.2, "detector_share": 0.4, "fusion_share": 0.0,
        },
        "settings": {"steps": 6000, "batch_size": 12, "ema": 0.997},
    },
    "general-32": {
        "classifiers": ("resnet20_cifar10", "resnet32_cifar10"),
        "data": (("cifar10_subset/train.npz", {}),),
        "size": 32,
        "augment": "shifted",
        "purifier": {"input_bits": 8},
        "training": {
            "attack_steps": 8, "per_image": 6, "large_from": 0.0, "clean_share": 0.2,
            "detector_share": 0.3, "fusion_share": 0.0,
        },
        "settings": {"steps": 7000, "batch_size": 48, "ema": 0.997, "validate_every": 300},
    },
    # For the question of `adversarial_training.py`; not shipped.
    "mnist": {
        "classifiers": ("lenet5_mnist_clean",),
        "data": (("mnist_subset/mnist_train_first14262.npz", {"channels": 1, "limit": 2000}),),
        "size": 28,
        "augment": "none",
        "purifier": {"channels": 1},
        "training": {
            "epsilons": (0.01, 0.03, 0.05, 0.1, 0.3), "per_image": 4, "small_up_to": 0.03,
            "large_from": 0.03,
        },
        "settings": {"steps": 600, "batch_size": 64},
    },
}


def shifted(size: int) -> nn.Module:
    """CIFAR's usual augmentation: mirror images, shifts of up to an eighth of the size."""
    import kornia.augmentation as K

    return nn.Sequential(
        K.RandomHorizontalFlip(p=0.5),
        K.RandomCrop((size, size), padding=size // 8, padding_mode="reflect"),
    )


AUGMENTATIONS: dict[str, Callable[[int], nn.Module | bool]] = {
    "photographic": photographic,
    "shifted": shifted,
    "none": lambda size: False,
}


def train_one(bench: str, name: str, given: argparse.Namespace) -> None:
    """Train one purifier of one bench."""
    chosen = BENCHES[bench]
    names = [n for n in chosen["classifiers"] if n != given.hold_out]
    bare = [
        getattr(classifiers, n)().to(memory_format=torch.channels_last).requires_grad_(False)
        for n in names
    ]
    sets = [load_labelled(given.data / path, **options) for path, options in chosen["data"]]
    method = create_defense(
        "advfilter",
        classifier=bare,
        augment=AUGMENTATIONS[chosen["augment"]](chosen["size"]),
        cache=given.runs / "pairs",
        **chosen["training"],
    )
    torch.manual_seed(0)
    model = create_purifier(name, **chosen["purifier"])
    pairs = method.prepare(sets, val_fraction=0.1)
    settings = {
        "lr": 1e-3, "warmup": 0.03, "clip_grad": 1.0, "precision": "bf16", "ema": 0.99,
        "validate_every": 200, "save_every": 50, **chosen["settings"],
    }
    if given.steps:
        settings["steps"] = given.steps
    label = bench + (f"-without-{given.hold_out}" if given.hold_out else "")
    out = given.runs / label / name
    began = time.monotonic()
    train(model, method, pairs[0], out=out, validation=pairs[1], seed=0, **settings)
    card = {
        "entry": name,
        "options": model.options,
        "classifier": "*",
        "input_size": chosen["size"],
        "data": ", ".join(f"{s.name} ({len(s)} images)" for s in sets),
        "training": {
            "defense": "advfilter", "classifiers": ", ".join(names), "pairs": len(pairs[0]),
            **{k: str(v) for k, v in chosen["training"].items()},
            "augment": chosen["augment"], **settings, "seed": 0,
        },
        "budget": f"{settings['steps']} steps of {settings['batch_size']} images on "
        f"{torch.get_num_threads()} core(s) of {environment()['processor']}, bfloat16; the last "
        f"sitting took {(time.monotonic() - began) / 60:.0f} minutes",
        "environment": environment(),
        "numbers": {"how": "see benchmarks/transfer.py"},
    }
    weights = out / f"{name}.safetensors"
    save_weights(model, weights, kind="purifiers", name=name, card=card)
    if given.ship:
        target = SHIPPED / f"{name}.{bench}.safetensors"
        save_weights(model, target, kind="purifiers", name=name, card=card, half=True)
        print(f"shipped {target}")


if __name__ == "__main__":
    say_what_is_missing()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("names", nargs="+", choices=("advfilter", "filtering", "additive"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--runs", type=Path, default=classifiers.RUNS)
    parser.add_argument("--hold-out", help="a classifier that takes no part")
    parser.add_argument("--steps", type=int, help="another number of steps than the recipe's")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--ship", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for row in arguments.names:
        train_one(arguments.bench, row, arguments)
