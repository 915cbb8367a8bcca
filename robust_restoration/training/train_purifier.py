"""Train a purifier for a classifier from a folder of labelled images, from data to weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robust_restoration.data import load_labelled
from robust_restoration.models.classifiers import classifier_name, load_classifier
from robust_restoration.models.create import create_defense, create_purifier

from .train_to_weights import train_to_weights


def train_purifier(
    classifier: str,
    data: Path | str,
    out: Path | str,
    *,
    defense: str = "advfilter",
    purifier: str = "advfilter",
    size: int | None = None,
    channels: int = 3,
    limit: int | None = None,
    purifier_options: dict[str, Any] | None = None,
    defense_options: dict[str, Any] | None = None,
    weights: str | None = None,
    val_fraction: float = 0.05,
    progress: bool = True,
    seed: int = 0,
    **settings: Any,
) -> Path:
    """Attack the images, train the purifier on them, and save its weights with a model card.

    Args:
        classifier: As `load_classifier` takes it.
        data: As `load_labelled` takes it.
        out: The run's folder; an interrupted run there goes on.
        defense: The way of training.
        purifier: The purifier's name.
        size: The side the images are brought to.
        channels: Of the images.
        limit: Use only the first so many images.
        purifier_options: Passed to the purifier.
        defense_options: Passed to the defense, beside the classifier.
        weights: What it begins from, as `create_purifier` takes it; untrained by default.
        val_fraction: Share of the images held out for validation.
        progress: Show progress bars.
        seed: Of everything random.
        **settings: See `robust_restoration.training.Settings`.

    Returns:
        The weights' file.
    """
    import torch

    bare = load_classifier(classifier)
    if torch.cuda.is_available():
        bare = bare.cuda()
    images = load_labelled(data, size=size, channels=channels, limit=limit)
    method = create_defense(defense, classifier=bare, seed=seed, **(defense_options or {}))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = create_purifier(
            purifier, weights=weights, channels=channels, **(purifier_options or {})
        )
    train_set, validation = method.prepare(images, val_fraction=val_fraction, progress=progress)
    notes = {
        "defense": defense,
        "purifier": purifier,
        "purifier_options": {"channels": channels, **(purifier_options or {})},
        "classifier": classifier_name(bare),
        **({"begun_from": weights} if weights else {}),
        "data": images.name,
        "images": len(images),
        "size": min(images.images.shape[-2:]),
        **{k: str(v) for k, v in (defense_options or {}).items() if k != "cache"},
    }
    return train_to_weights(
        "purifiers",
        purifier,
        model,
        method,
        (train_set, validation),
        images,
        out,
        notes=notes,
        about={"classifier": notes["classifier"], "input_size": notes["size"]},
        seed=seed,
        progress=progress,
        **settings,
    )
