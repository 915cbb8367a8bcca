"""Train a denoiser from a folder of clean images, from data to weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robust_restoration.data import load_images
from robust_restoration.models.create import create_defense, create_denoiser

from .recipes import Recipe, write_recipe
from .train_to_weights import train_to_weights


def train_denoiser(
    denoiser: str,
    data: Any,
    out: Path | str,
    *,
    defense: str = "standard",
    denoiser_options: dict[str, Any] | None = None,
    defense_options: dict[str, Any] | None = None,
    weights: str | None = None,
    limit: int | None = None,
    val_fraction: float = 0.05,
    progress: bool = True,
    seed: int = 0,
    **settings: Any,
) -> Path:
    """Train a denoiser, and save its weights with a model card.

    Args:
        denoiser: The denoiser's name.
        data: As `load_images` takes it: a data set's name, a folder, tensors.
        out: The run's folder; an interrupted run there goes on.
        defense: The way of training.
        denoiser_options: Passed to the denoiser.
        defense_options: Passed to the defense.
        weights: What it begins from, as `create_denoiser` takes it; untrained by default.
        limit: Use only the first so many images.
        val_fraction: Share of the images held out for validation; never a test set.
        progress: Show a progress bar.
        seed: Of everything random.
        **settings: See `robust_restoration.training.Settings`.

    Returns:
        The weights' file, ``OUT/DENOISER.safetensors``. ``OUT/recipe.yaml`` says how to train it
        again.
    """
    import torch

    method = create_defense(defense, **(defense_options or {}))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = create_denoiser(denoiser, weights=weights, **(denoiser_options or {}))
    images = load_images(data, channels=model.channels, limit=limit)
    training, validation = method.prepare(images, val_fraction=val_fraction, progress=progress)
    notes = {
        "denoiser": denoiser,
        "denoiser_options": denoiser_options or {},
        "defense": defense,
        "defense_options": {k: str(v) for k, v in (defense_options or {}).items()},
        "begun_from": weights or "nothing",
        "data": images.name,
        "images": len(images),
        "held_out": len(validation) if validation is not None else 0,
    }
    summary = f"{defense} of {denoiser} on {images.name}, seed {seed}"
    recipe = Recipe(summary, settings, defense_options or {}, denoiser_options or {})
    write_recipe(recipe, Path(out) / "recipe.yaml")
    return train_to_weights(
        "denoisers",
        denoiser,
        model,
        method,
        (training, validation),
        images,
        out,
        notes=notes,
        about={},
        seed=seed,
        progress=progress,
        **settings,
    )
