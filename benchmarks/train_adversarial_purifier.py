"""A purifier that holds against attackers who know of it, for CIFAR-10's frozen ResNet-20.

``python benchmarks/train_adversarial_purifier.py train NAME`` trains one of `RECIPES` in
``runs/adversarial_purifier/NAME``, and goes on there after an interruption; ``evaluate NAME`` (or a
file of weights) attacks it end to end on the lossless test images by `classifier_ensemble` and
writes a result, ``quick NAME`` by less of it, also in several processes (``torchrun``);
``ship NAME`` copies the weights with their card into the plugin.

Training images: the 50,000 of CIFAR-10's training set as another's JPEG copies, in which 1,330
lossless ones of ``cifar10_subset`` take the place of theirs. Validation: its other 1,000 lossless
training images, whose JPEG copies are left out. Mind that the classifier was trained on both.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classifiers import resnet20_cifar10
from folders import DATA, say_what_is_missing
from PIL import Image
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration import train
from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.environment import environment
from robust_restoration.evaluation.result.intervals import share
from robust_restoration.evaluation.result.result import UNATTACKED
from robust_restoration.files import write_json
from robust_restoration.models.classifiers import with_unit_range
from robust_restoration.models.create import create_attack, create_defense, create_purifier
from robust_restoration.models.purify import PurifiedClassifier
from robust_restoration.models.shipped import model_card
from robust_restoration.models.weights import read_weights, save_weights
from robust_restoration.processes import Processes
from robust_restoration.training import CHECKPOINT, minutes_trained

HERE = Path(__file__).parent
RUNS = Path("runs/adversarial_purifier")
PLUGIN = HERE.parent / "plugins/robust_restoration_purifiers"
SHIPPED = PLUGIN / "weights/resunet.resnet20_cifar10.safetensors"
EPSILONS = (2.55 / 255, 8 / 255)
MEMBERS = ("apgd-ce", "ti-fgsm", "apgd-t", "fab-t", "square")  # in their order
BLOCK = 16
QUICK = {
    "PGD-20": "torchattacks/pgd steps=20 alpha=eps/4",
    "APGD-CE": "torchattacks/apgd steps=30 n_restarts=1 loss=ce",
    "APGD-T": "torchattacks/apgdt steps=20 n_restarts=1 n_classes=4",
}
HELD_OUT, TWIN = 1000, 0.03  # RMS of gray values below which two images are one

TRAINING = {
    "batch_size": 128, "lr": 0.1, "schedule": "cosine", "warmup": 0.15, "decay_from": 0.15,
    "clip_grad": 2.0, "ema": 0.999, "save_every": 100, "validate_every": 400,
}
RECIPES: dict[str, dict[str, Any]] = {
    # The purifier alone; its encoder by itself first.
    "purifier": {"feature_share": 0.5, "feature_weight": 0.5, "steps": 4000},
    # Further, from the weights that are shipped: with Adam, since SGD at 0.05 undid them.
    "further": {"sgd": None, "lr": 5e-4, "steps": 1100},
    # The first towards the classifier's own predictions.
    "label-free": {"feature_share": 0.5, "feature_weight": 0.5, "labels": False, "steps": 4000},
    # What it has to be measured by: both trained, and a classifier trained by itself.
    "joint": {"steps": 4000},
    "resnet20": {"steps": 4000},
}


def training_images(root: Path) -> tuple[LabelledImages, LabelledImages]:
    """Training and validation images, as the module's docstring says."""
    with tarfile.open(root / "cifar10_jpeg/train_50000.tar.gz") as tar:
        files = sorted((m for m in tar if m.isfile()), key=lambda m: m.name)
        classes = sorted({m.name.split("/")[-2] for m in files})
        pixels = [
            np.asarray(Image.open(io.BytesIO(tar.extractfile(m).read())).convert("RGB"))  # type: ignore[union-attr]
            for m in files
        ]
    jpeg = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor([classes.index(m.name.split("/")[-2]) for m in files])
    lossless = load_labelled(root / "cifar10_subset/train.npz")
    test = load_labelled(root / "cifar10_subset/test.npz")
    order = torch.randperm(len(lossless), generator=torch.Generator().manual_seed(20261124))
    held_out, rest = lossless.subset(order[:HELD_OUT]), lossless.subset(order[HELD_OUT:])
    held_out.name = "1,000 lossless training images"
    keep = torch.ones(len(jpeg), dtype=torch.bool)
    gray = _gray(jpeg)
    for part in lossless.images.split(200):  # each has one copy, the nearest
        keep[torch.cdist(_gray(part), gray).argmin(1)] = False
    for part in torch.cat([held_out.images, test.images]).split(200):  # and none that is near
        keep &= (torch.cdist(_gray(part), gray) / 32 >= TWIN).all(0)
    return (
        LabelledImages(
            torch.cat([jpeg[keep], rest.images]),
            torch.cat([labels[keep], rest.labels]),
            name=f"CIFAR-10: {int(keep.sum())} JPEG and {len(rest)} lossless training images",
        ),
        held_out,
    )


def _gray(images: Tensor) -> Tensor:
    return images.float().mean(1).flatten(1) / 255


def untrained(name: str) -> nn.Module:
    """What a recipe trains, before it does."""
    torch.manual_seed(0)
    if name == "resnet20":
        model = resnet20_cifar10()
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        return with_unit_range(model)
    if name == "further":
        return create_purifier("resunet", weights=str(SHIPPED))
    purifier = create_purifier("resunet", additive=False)
    return PurifiedClassifier(resnet20_cifar10(), purifier) if name == "joint" else purifier


def train_one(name: str, root: Path, steps: int | None, precision: str) -> None:
    """Train a recipe, or go on with it."""
    options = dict(RECIPES[name])
    settings = {**TRAINING, "precision": precision}
    settings |= {key: options.pop(key) for key in ("steps", "lr") if key in options}
    if steps:
        settings["steps"] = steps
    options = {"eps": (0.0, 8 / 255), "shift": 4, "mirror": True, "sgd": 5e-4, **options}
    if name in ("joint", "resnet20"):
        defense = create_defense("joint", **options)
    else:
        defense = create_defense("adversarial_purifier", classifier=resnet20_cifar10(), **options)
    images, held_out = training_images(root)
    training, _ = defense.prepare(images, val_fraction=0.0)
    plain = create_defense("joint")  # the images held out are not augmented
    validation, _ = plain.prepare(held_out.subset(slice(500)), val_fraction=0.0)
    train(
        untrained(name), defense, training, out=RUNS / name, validation=validation, **settings
    )


def trained(name: str) -> tuple[nn.Module, str]:
    """A trained recipe as a classifier that takes [0, 1], by its name or its file of weights."""
    if name.endswith(".safetensors"):
        purifier = create_purifier("resunet", weights=name)
        return PurifiedClassifier(resnet20_cifar10(), purifier).eval(), Path(name).stem
    model = untrained(name)
    tensors, _ = read_weights(RUNS / name / CHECKPOINT)
    model.load_state_dict(
        {k[8:]: v for k, v in tensors.items() if k.startswith("average.")}
    )
    if name not in ("joint", "resnet20"):
        model = PurifiedClassifier(resnet20_cifar10(), model)
    return model.eval(), name


def evaluate(name: str, root: Path, options: dict[str, int], limit: int | None) -> None:
    """The threat ``white-box`` on purifier and classifier as one: the worst case of each image.

    Blocks of images are attacked at each strength, and written; it goes on after an interruption.
    An image that falls counts as fallen at larger strengths, since the change is allowed there too.
    """
    model, title = trained(name)
    data = load_labelled(root / "cifar10_subset/test.npz", limit=limit)
    asked = {"attack": "classifier_ensemble", **options, "block": BLOCK}
    path = HERE / f"results/adversarial_purifier-{title}-ensemble.json"
    result: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {
        "what": title, "data": "cifar10_subset/test.npz", "asked": asked,
        "environment": environment(), "won": {f"{255 * eps:g}/255": [] for eps in EPSILONS},
    }
    if result["asked"] != asked:
        raise SystemExit(f"{path} was measured with {result['asked']}; move it away.")
    labels = data.labels
    for start in range(0, len(data), BLOCK):
        rows = slice(start, start + BLOCK)
        images, fell = data.pixels(rows), torch.zeros(len(labels[rows]), dtype=torch.bool)
        for eps in EPSILONS:
            won = result["won"][f"{255 * eps:g}/255"]
            if len(won) <= start:
                attack = create_attack("classifier_ensemble", model, eps=eps, seed=0, **options)
                told = ["before"] * len(images)
                left = (~fell).nonzero()[:, 0]
                if len(left):
                    attack(images[left], labels[rows][left], index=(start + left).tolist())
                for row, who in zip(left.tolist(), attack.won, strict=True):
                    told[row] = who
                won += told
            fell = torch.tensor([who != "none" for who in won[rows]])
        write_json(path, _summed(result))
        print({eps: told[-1] for eps, told in _shown(result).items()}, flush=True)


def quick(name: str, root: Path, limit: int | None) -> None:
    """Without FAB and with three of nine target classes: an upper bound, on all test images.

    Split by ``torchrun``, and taken up again after an interruption.
    """
    model, title = trained(name)
    labelled = load_labelled(root / "cifar10_subset/test.npz")
    found = rr.evaluate(
        model, labelled, threats=QUICK, eps=EPSILONS, limit=limit, controls=False, checks=False,
        name=title, state=RUNS / f"{title}-quick.json",
    )
    if not Processes().main:
        return
    result: dict[str, Any] = {"what": title, "data": "cifar10_subset/test.npz", "attacks": {}}
    right: dict[tuple[str, float], set[str]] = {}
    for record in found.records:
        if record.metric == "accuracy" and not record.control:
            key = (record.threat, record.eps)
            right.setdefault(key, set()).update([record.image] * (record.value == 1))
    count = len(found.images())
    standing = right[UNATTACKED, 0.0]
    result |= {"images": count, "clean": _share_of(len(standing), count)}
    for eps in EPSILONS:
        told = result["attacks"][f"{255 * eps:g}/255"] = {}
        for threat, attack in QUICK.items():
            alone = right[threat, eps]
            standing = standing & alone
            told[threat] = {
                "attack": attack, "alone": _share_of(len(alone), count),
                "worst_so_far": _share_of(len(standing), count),
            }
        told["standing"] = " ".join(sorted(standing, key=int))
    if name.endswith(".safetensors"):  # its card tells them, without the images' numbers
        card = Path(name).with_suffix(".json")
        shown = {eps: {t: told[t] for t in QUICK} for eps, told in result["attacks"].items()}
        numbers = {"how": "train_adversarial_purifier.py quick", **result, "attacks": shown}
        write_json(card, {**json.loads(card.read_text()), "numbers": numbers})
    result["environment"] = found.environment
    write_json(HERE / f"results/adversarial_purifier-{title}-quick.json", result)
    print({eps: told["APGD-T"]["worst_so_far"] for eps, told in result["attacks"].items()})


def _summed(result: dict[str, Any]) -> dict[str, Any]:
    """With the shares that follow from who won each image."""
    first, *_ = result["won"].values()
    result["images"] = len(first)
    result["clean"] = _share(torch.tensor([who != "wrong" for who in first]))
    result["attacks"] = {
        eps: {
            member: {"worst_so_far": _share(torch.tensor([
                who == "none" or who in MEMBERS[place + 1 :] for who in won
            ]))}
            for place, member in enumerate(MEMBERS)
        }
        for eps, won in result["won"].items()
    }
    return result


def _shown(result: dict[str, Any]) -> dict[str, list[str]]:
    return {
        eps: [
            f"{member}: {told['worst_so_far']['share']:.3f} of {len(result['won'][eps])}"
            for member, told in members.items()
        ]
        for eps, members in result["attacks"].items()
    }


def _share(right: Tensor) -> dict[str, float]:
    return _share_of(int(right.sum()), len(right))


def _share_of(right: int, count: int) -> dict[str, float]:
    """A share with its 95 % interval (Wilson)."""
    mean, low, high = share(right, count)
    found = {"share": mean, "low": low, "high": high}
    return {name: round(value, 4) for name, value in found.items()}


def ship(name: str, root: Path) -> None:
    """Copy a trained purifier's weights and card into the plugin."""
    model = untrained(name)
    tensors, metadata = read_weights(RUNS / name / CHECKPOINT)
    model.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
    settings = json.loads((RUNS / name / "settings.json").read_text())
    images, _ = training_images(root)
    history = json.loads((RUNS / name / "history.json").read_text())
    card = {
        "entry": "resunet", "options": model.options, "classifier": "resnet20_cifar10",
        "input_size": 32, "data": images.name, "training": {"recipe": RECIPES[name], **settings},
        "minutes": minutes_trained(metadata), "validation": history[-1],
        "environment": environment(),
    }
    if name == "further":
        old = model_card(SHIPPED)
        card["began_from"] = {
            "sha256": hashlib.sha256(SHIPPED.read_bytes()).hexdigest(),
            **{key: old[key] for key in ("training", "minutes", "validation")},
        }
    save_weights(model, SHIPPED, kind="purifiers", name="resunet", card=card, half=True)


if __name__ == "__main__":
    say_what_is_missing()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("train", "evaluate", "quick", "ship"))
    parser.add_argument("name", help=f"one of {', '.join(RECIPES)}, or a .safetensors file")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int)
    parser.add_argument("--precision", default="fp32", help="bf16 where the processor has it")
    parser.add_argument("--attack-steps", type=int, default=40)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.what == "train":
        train_one(given.name, given.data, given.steps, given.precision)
    elif given.what == "evaluate":
        asked = {"steps": given.attack_steps, "n_queries": given.queries}
        evaluate(given.name, given.data, asked, given.limit)
    elif given.what == "quick":
        quick(given.name, given.data, given.limit)
    else:
        ship(given.name, given.data)
