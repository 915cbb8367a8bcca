"""The end that trainings by name have in common: run, then weights with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.contracts import Defense, TrainingSet
from robust_restoration.data import LabelledImages, RestorationImages
from robust_restoration.environment import environment
from robust_restoration.models.weights import read_weights, save_weights

from . import CHECKPOINT, minutes_trained, train


def train_to_weights(
    kind: str,
    name: str,
    model: nn.Module,
    defense: Defense,
    sets: tuple[TrainingSet, TrainingSet | None],
    images: LabelledImages | RestorationImages,
    out: Path | str,
    *,
    notes: dict[str, Any],
    about: dict[str, Any],
    seed: int,
    progress: bool,
    **settings: Any,
) -> Path:
    """Train, and save ``OUT/NAME.safetensors`` with a card that says how.

    Args:
        kind: ``"denoisers"`` or ``"purifiers"``.
        name: The entry's name.
        model: What is trained.
        defense: How.
        sets: What to train and to validate on.
        images: What these were made of.
        out: The run's folder; an interrupted run there goes on.
        notes: Kept in the run's settings and in the card.
        about: Further entries of the card.
        seed: Of everything random.
        progress: Show a progress bar.
        **settings: See `robust_restoration.training.Settings`.
    """
    training, validation = sets
    train(
        model,
        defense,
        training,
        out=out,
        validation=validation,
        progress=progress,
        seed=seed,
        notes=notes,
        **settings,
    )
    _, metadata = read_weights(Path(out) / CHECKPOINT)
    path = Path(out) / f"{name}.safetensors"
    card = {
        "entry": name,
        "options": getattr(model, "options", {}),
        **about,
        "data": f"{images.name}: {len(images)} images, {len(images.damaged)} damaged ones skipped",
        "training": {**notes, **settings, "seed": seed},
        "minutes": minutes_trained(metadata),
        "environment": environment(),
    }
    save_weights(model, path, kind=kind, name=name, card=card)
    return path
