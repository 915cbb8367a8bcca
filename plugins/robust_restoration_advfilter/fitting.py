"""Fit a purifier to one classifier within minutes, and say what that gains.

It begins from weights for any classifier, attacks the user's images on the classifier, and trains
on these pairs as `AdvFilterTraining` does. How many images, steps and held-back images fit into the
minutes is decided by what one of each takes on this machine; the decision is kept in the run's
folder, so that a stopped fit goes on as it was begun.
"""

from __future__ import annotations

import copy
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.environment import environment
from robust_restoration.errors import InputError, WeightsError
from robust_restoration.models.classifiers import check_module, classifier_name, input_channels
from robust_restoration.models.create import create_purifier
from robust_restoration.models.origin import origin_of
from robust_restoration.models.purify import find_purifier
from robust_restoration.models.shipped import user_folder
from robust_restoration.models.weights import save_weights
from robust_restoration.numbers import check_positive
from robust_restoration.plugins.registry import registry
from robust_restoration.training import train

from .clean_images import clean_images
from .fit_plan import ATTACK_STEPS, BATCH, HELD_BACK, Plan, make_plan
from .gain import measured, predictions, summary
from .pairs import hash_of_images, hash_of_weights
from .training import AdvFilterTraining

FEWEST, SMALLEST = 20, 16  # images; pixels of a side
LR = 5e-4
AUGMENTED_FROM = 64  # pixels: smaller images have no camera's grain


def fit_purifier(
    classifier: nn.Module,
    images: Any,
    *,
    out: Path | str | None = None,
    minutes: float = 10.0,
    purifier: str | None = None,
    keep: bool = False,
    seed: int = 0,
    progress: bool = True,
    announce: Callable[[str], None] | None = None,
) -> nn.Module:
    """Fit a purifier to a classifier, within minutes, and print what that gains.

    It begins from the weights that `purify` takes. No labels are needed: what the classifier says
    of an image is what it shall say of the attacked one. Some images are held back, and on them
    the fitted purifier is compared with what it began from and with plain transforms; where it
    keeps no more than what it began from, that is given back.

    Args:
        classifier: The classifier, in eval mode; its own mean and standard deviation are applied.
        images: Clean images: (N, C, H, W), uint8 or in [0, 1], of the classifier's size; or, of
            any size, a folder, a data set's name, a list of (C, H, W), or a ``torch`` data set of
            images or of pairs of image and label. At least 20; some hundreds for a gain.
        out: A folder in which a stopped fit goes on, and where weights and model card come to
            stand; without one nothing is kept on disk.
        minutes: How long it may take, about; the number of images and of steps go with it.
        purifier: Which purifier; the default one for classifiers.
        keep: Also file the weights in the user's folder, ``$ROBUST_RESTORATION_WEIGHTS``, under
            the classifier's name, where `purify` and others find them from then on.
        seed: Of everything random.
        progress: Show progress bars.
        announce: Called with each sentence and table, in place of printing them.

    Returns:
        The purifier, in eval mode; its attribute ``gains`` is the `Result` on held-back images.

    Raises:
        InputError: If the classifier is not a module, or the images are too few, too small, of
            another number of channels, or all of one class to it.

    Example:
        >>> mine = fit_purifier(classifier, "photos/", minutes=10)
        >>> robust = PurifiedClassifier(classifier, mine)
    """
    say = announce or _on_stdout
    began = time.monotonic()
    check_positive("minutes", minutes)
    clean, name = _checked(classifier, images)
    if keep:
        _nameable(classifier, name)
    entry = purifier or registry().default("purifiers", "classifier")
    model, source = _beginning(classifier, entry, clean.shape[1])
    order = torch.randperm(len(clean), generator=torch.Generator().manual_seed(seed))
    share, least, most = HELD_BACK
    held = order[: min(max(round(share * len(clean)), least), most)]
    clean, held_images = clean[order[len(held) :]], clean[held]
    about = {
        "classifier": name, "weights": hash_of_weights(classifier), "purifier": entry,
        "data": hash_of_images(clean), "minutes": minutes, "seed": seed,
    }
    with ExitStack() as opened:
        folder = Path(out) if out is not None else Path(
            opened.enter_context(tempfile.TemporaryDirectory(prefix="fit-"))
        )
        plan = make_plan(folder, about, classifier, model, clean, held_images, began)
        say(
            f"Fitting {entry.rsplit('/', 1)[-1]} to {name}, beginning from {source}: "
            f"{plan.images} images, {plan.per_image} attacked copies of each, {plan.steps} steps; "
            f"{plan.held_back} images are held back."
        )
        before = copy.deepcopy(model)
        method = _method(classifier, clean, plan, folder, seed)
        pairs, _ = method.prepare(clean[: plan.images], val_fraction=0.0, progress=progress)
        settings: dict[str, Any] = {
            "batch_size": BATCH, "lr": LR, "warmup": 0.05, "clip_grad": 1.0, "ema": 0.98,
            "precision": plan.autocast or "fp32", "save_every": 20, "seed": seed,
        }
        train(
            model, method, pairs, out=folder / "run", progress=progress, steps=plan.steps,
            **settings,
        )
        model.eval()
        result = measured(
            classifier, before, model, held_images[: plan.held_back], seed=seed,
            state=folder / "held_back.json", progress=progress,
        )
        text, figures, gained = summary(result, plan.held_back)
        say(text)
        if not gained:
            model = before.eval()
        short = entry.rsplit("/", 1)[-1]
        card: dict[str, Any] = {
            "entry": short,
            "options": getattr(model, "options", {}),
            "classifier": name,
            "input_size": min(clean.shape[-2:]),
            "channels": clean.shape[1],
            "began_from": source,
            "fit": {**asdict(plan), "minutes": round((time.monotonic() - began) / 60, 1)},
            "weights": "fitted" if gained else "those before, since fitting gained nothing",
            "figures": figures,
            "environment": environment(),
        }
        if out is not None:
            path = folder / f"{short}.{name}.safetensors"
            save_weights(model, path, kind="purifiers", name=short, card=card)
            say(f"Wrote {path}.")
    if keep:
        path = user_folder() / "purifiers" / f"{short}.{name}.safetensors"
        save_weights(model, path, kind="purifiers", name=short, card=card)
        say(f"Kept {path}, where purify finds it for {name!r}.")
    model.gains = result  # type: ignore[assignment]
    return model.requires_grad_(True)


def _on_stdout(text: str) -> None:
    sys.stdout.write(text + "\n")


def _checked(classifier: nn.Module, images: Any) -> tuple[Tensor, str]:
    """The images (N, C, H, W) uint8 for a classifier, and its name; what does not fit is said."""
    check_module(classifier)
    if getattr(classifier, "wrapped", None) is not None:
        raise InputError(
            f"classifier is a {type(classifier).__name__} with a purifier already; give the bare "
            "one, .classifier."
        )
    clean = clean_images(images, classifier)
    channels = input_channels(classifier)
    if channels is not None and clean.shape[1] != channels:
        raise InputError(
            f"The images have {clean.shape[1]} channels and the classifier takes {channels}."
        )
    if len(clean) < FEWEST:
        raise InputError(
            f"There are {len(clean)} images to fit on; expected at least {FEWEST}, and some "
            "hundreds for a gain. They need no labels."
        )
    if min(clean.shape[-2:]) < SMALLEST:
        raise InputError(
            f"The images are {clean.shape[-2]} x {clean.shape[-1]} pixels; expected sides of at "
            f"least {SMALLEST}."
        )
    said = predictions(classifier, clean)
    if len(said.unique()) == 1:
        raise InputError(
            f"The classifier says class {int(said[0])} of all {len(clean)} images, so that nothing "
            "tells whether a purifier helps; expected images of several classes, and a classifier "
            "that is trained and gets its own normalisation."
        )
    return clean, classifier_name(classifier)


def _nameable(classifier: nn.Module, name: str) -> None:
    if name == type(classifier).__name__.lower():
        raise InputError(
            f"keep=True files weights under the classifier's name, and this one has none but its "
            f"class, {type(classifier).__name__}: set classifier.pretrained_cfg = "
            '{"architecture": "mine", "mean": ..., "std": ...}.'
        )


def _beginning(classifier: nn.Module, entry: str, channels: int) -> tuple[nn.Module, str]:
    """What is trained, with the best weights there are, and where those come from."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are no own weights is why one fits
            model = find_purifier(classifier, entry, channels=channels)
    except WeightsError:
        return create_purifier(entry, channels=channels, input_bits=8), "untrained weights"
    origin = origin_of(model)
    weights = origin.weights if origin is not None else None
    return model, f"the weights {Path(weights).stem}" if weights else "untrained weights"


def _method(
    classifier: nn.Module, clean: Tensor, plan: Plan, folder: Path, seed: int
) -> AdvFilterTraining:
    augmented = clean.shape[1] == 3 and min(clean.shape[-2:]) >= AUGMENTED_FROM
    return AdvFilterTraining(
        classifier=classifier,
        attack_steps=ATTACK_STEPS,
        per_image=plan.per_image,
        augment=augmented,
        autocast=plan.autocast,
        cache=folder / "pairs",
        seed=seed,
    )


