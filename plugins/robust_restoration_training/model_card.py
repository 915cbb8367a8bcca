"""What a run leaves in the end: weights, and the model card that says how they were trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.environment import environment
from robust_restoration.models.origin import origin_of
from robust_restoration.models.weights import save_weights
from robust_restoration.training import minutes_trained
from robust_restoration.training.recipes import Recipe, plain


def save_with_card(
    model: nn.Module,
    path: Path,
    recipe: Recipe,
    header: Mapping[str, str],
    *,
    kind: str,
    name: str,
    half: bool = False,
    **facts: Any,
) -> None:
    """Write the weights of a run, with their model card beside them.

    Args:
        model: What was trained.
        path: The safetensors file.
        recipe: How it was trained.
        header: Of the run's checkpoint.
        kind: Of the entry that the weights are for.
        name: Of that entry.
        half: Store floating-point tensors as float16.
        **facts: What else the card says.
    """
    card = {
        "entry": name,
        "options": getattr(model, "options", {}),
        **facts,
        "training": plain(asdict(recipe)),
        "minutes": minutes_trained(header),
        "environment": environment(),
    }
    save_weights(model, path, kind=kind, name=name, card=card, half=half)


def member_of(model: Any, kind: str, name: str) -> tuple[Any, str, str]:
    """What of a network its weights are filed under.

    Of a family, such as ``denoiser:NAME``, the weights are the member's, which is the part of the
    model that was itself created by name.

    Args:
        model: The network.
        kind: Its kind, such as ``"purifiers"``.
        name: Its name.

    Returns:
        The module, its kind and its name.
    """
    if ":" in name:
        for child in model.children():
            origin = origin_of(child)
            if origin is not None:
                return child, origin.kind, origin.name
    return model, kind, name
