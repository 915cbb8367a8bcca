"""Train the purifiers of the README's tables: ``python benchmarks/train_advfilter.py BENCH NAME``.

BENCH is mobilenet, cifar or mnist; NAME one of the rows of `RECIPES`. Runs stand in
``runs/advfilter/BENCH/NAME`` and go on there after an interruption. ``--ship`` copies the weights,
as float16 with their card, into the plugin.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from robust_restoration.environment import environment
from robust_restoration.models.create import create_purifier
from robust_restoration.models.weights import save_weights
from robust_restoration.training.by_name import train_by_name

sys.path.insert(0, str(Path(__file__).parent))
RUNS = Path("runs/advfilter")
SHIPPED = Path("plugins/robust_restoration_advfilter/weights")

BENCHES = {
    "mobilenet": {
        "classifier": "classifiers:mobilenetv1_075",
        "data": "imagenet_sample_1000",
        "size": 224,
        "purifier_options": {"width": 0.125, "noise_level": False},
        "defense_options": {"per_image": 2},
        "steps": 850,
        "batch_size": 8,
    },
    "cifar": {
        "classifier": "classifiers:resnet20_cifar10",
        "data": "cifar10_subset/train.npz",
        "purifier_options": {"width": 0.1875, "noise_level": True},
        "defense_options": {
            "per_image": 4, "clean_share": 0.3, "distance": "saturated-kl", "semantic": 0.1,
            "flip": True,
        },
        "steps": 3000,
        "batch_size": 64,
    },
    "mnist": {
        "classifier": "classifiers:lenet5_mnist_clean",
        "data": "mnist_subset/mnist_train_first14262.npz",
        "channels": 1,
        "limit": 2000,
        "purifier_options": {"width": 0.125, "noise_level": True},
        "defense_options": {"per_image": 4, "median_strengths": (0.03, 0.05, 0.1, 0.3)},
        "steps": 400,
        "batch_size": 64,
    },
}

# Ours adds a semantic term; "-image" is the paper's L1 alone, with its strengths for the second
# decoder.
RECIPES = {
    "advfilter": ("advfilter", {}),
    "advfilter-ungated": ("advfilter", {}),
    "advfilter-850": ("advfilter", {}),
    "advfilter-told": ("advfilter", {}),
    "advfilter-8bit": ("advfilter", {}),
    "filtering": ("filtering", {}),
    "additive": ("additive", {}),
    "multi_head": ("multi_head", {}),
    "advfilter-image": (
        "advfilter",
        {
            "image": 1.0,
            "semantic": 0.0,
            "median_strengths": (0.1, 0.3, 0.5),
            "fusion_loss": "cross-entropy",
            "semantic_up_to": 0.5,
        },
    ),
    "filtering-image": ("filtering", {"image": 1.0, "semantic": 0.0}),
    "additive-image": ("additive", {"image": 1.0, "semantic": 0.0}),
}


# What single rows have for themselves.
OWN = {
    # The same filters behind a gate, which leaves alone what is not attacked. It is for 8-bit
    # images, of which rounding gives the clean ones back at smaller strengths than these.
    ("mobilenet", "advfilter"): {
        "init_weights": "advfilter-ungated",
        "steps": 3000,
        "purifier_options": {"input_bits": 8, "gate": True},
        "defense_options": {
            "fusion_share": 0, "gate_share": 1, "mosaics": 300,
            "sharpness": (-0.5, 0.5), "colour_detail": (0, 2.5), "camera_noise": 0.6 / 255,
            "strengths": (2.5e-3, 3e-3, 5e-3, 1e-2, 3e-2, 5e-2), "attack_steps": 10,
        },
    },
    # Told nothing, on images with as much noise as small attacks: what an attack's noise is like,
    # not how much there is, tells it.
    ("mobilenet", "advfilter-ungated"): {
        "steps": 3600,
        "defense_options": {
            "clean_share": 0.3, "distance": "saturated-kl", "semantic": 0.1,
            "sharpness": (-0.5, 0.5), "colour_detail": (0, 2.5), "camera_noise": 1.5 / 255,
            "strengths": (1e-3, 3e-3, 5e-3, 1e-2, 3e-2, 5e-2), "per_image": 2, "attack_steps": 10,
        },
    },
    # The first one shipped.
    ("mobilenet", "advfilter-850"): {"purifier_options": {"fusion_features": 16}},
    # A quarter of an AdvFilter's steps are the fusion's: as many as the others for its filters.
    ("cifar", "advfilter"): {"steps": 4000},
    ("cifar", "advfilter-image"): {"steps": 4000, "purifier_options": {"noise_level": False}},
    ("cifar", "filtering-image"): {"purifier_options": {"noise_level": False}},
    ("cifar", "additive-image"): {"purifier_options": {"noise_level": False}},
    ("mnist", "advfilter"): {"purifier_options": {"fusion_features": 16}},
    ("mobilenet", "advfilter-told"): {
        "steps": 3000,
        "purifier_options": {"noise_level": True},
        "defense_options": {
            "clean_share": 0.3, "distance": "saturated-kl", "semantic": 0.1, "sharpness": (-0.5, 1),
        },
    },
    # What remains of an attack once images are 8-bit again: nothing of strengths below 1/510.
    ("mobilenet", "advfilter-8bit"): {
        "steps": 4000,
        "purifier_options": {"noise_level": True, "input_bits": 8},
        "defense_options": {
            "clean_share": 0.4, "distance": "saturated-kl", "semantic": 0.1,
            "sharpness": (-0.5, 0.5), "colour_detail": (0, 2.5),
            "strengths": (3e-3, 5e-3, 1e-2, 3e-2, 5e-2, 0.1), "per_image": 2, "attack_steps": 10,
            "median_strengths": (3e-3, 5e-3, 1e-2, 3e-2),
        },
    },
}


def train_one(bench: str, name: str, root: Path, cache: Path, ship: bool) -> None:
    """Train one row of one bench, after the one that it begins from."""
    options = dict(BENCHES[bench])
    purifier, changes = RECIPES[name]
    classifier, data = options.pop("classifier"), root / options.pop("data")
    options["defense_options"] = {**options["defense_options"], **changes, "cache": cache}
    for option, value in OWN.get((bench, name), {}).items():
        options[option] = {**options[option], **value} if isinstance(value, dict) else value
    begin = None
    if "init_weights" in options:
        earlier = options.pop("init_weights")
        begin = RUNS / bench / earlier / f"{purifier}.safetensors"
        if not begin.exists():
            train_one(bench, earlier, root, cache, ship=False)
    out = RUNS / bench / name
    path = train_by_name(
        "advfilter",
        data,
        out,
        classifier=classifier,
        purifier=purifier,
        network=options.pop("purifier_options", None),
        options=options.pop("defense_options"),
        init_weights=str(begin) if begin else None,
        lr=5e-4,
        warmup=0.05,
        clip_grad=1.0,
        precision="bf16",
        ema=0.998,
        validate_every=200,
        save_every=100,
        seed=0,
        **options,
    )
    card_path = path.with_suffix(".json")
    card = json.loads(card_path.read_text())
    card["budget"] = (
        f"{options['steps']} steps of {options['batch_size']} images, {card['minutes']:.0f} "
        f"minutes on {torch.get_num_threads()} core(s) of {environment()['processor']}, bfloat16"
    )
    if begin:
        first = json.loads(begin.with_suffix(".json").read_text())
        card["budget"] = f"{first['budget']}; then {card['budget']}"
        card["begun_from"] = first["training"]
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    if ship:
        model = create_purifier(purifier, weights=str(path))
        target = SHIPPED / f"{purifier}.{card['classifier']}.safetensors"
        save_weights(model, target, kind="purifiers", name=purifier, card=card, half=True)
        print(f"shipped {target}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("names", nargs="+", choices=RECIPES)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=RUNS / "pairs")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--ship", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for row in given.names:
        train_one(given.bench, row, given.data, given.cache, given.ship)
