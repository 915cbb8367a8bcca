"""The recipe of a run whose parts were made in Python: what is known of them by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.contracts import Defense
from robust_restoration.models.classifiers import classifier_name
from robust_restoration.models.origin import origin_of
from robust_restoration.training.recipes import Recipe


def recipe_of(model: nn.Module, defense: Defense, data: Any, val_fraction: float) -> Recipe:
    """What is known by name of a training whose parts were made in Python.

    What was not created by name stays empty, and such a recipe cannot be repeated.
    """
    network, method = origin_of(model), origin_of(defense)
    name, trains = (network.name, network.kind[:-1]) if network else ("", "")
    weights = network.weights if network else None
    options = {**network.options, **getattr(model, "options", {})} if network else {}
    given = dict(method.options) if method else {}
    classifier = given.pop("classifier", None)
    return Recipe(
        summary=f"{method.name if method else type(defense).__name__} of "
        f"{name or type(model).__name__}",
        defense_options=given,
        network=options,
        trains=trains,
        name=name,
        defense=method.name if method else "",
        classifier="" if classifier is None else classifier_name(classifier),
        init_weights=path_or_name(weights),
        data=path_or_name(data) or "" if isinstance(data, str | Path) else "",
        val_fraction=val_fraction,
    )


def path_or_name(word: Path | str | None) -> str | None:
    """A word for data or weights, such that it is found from another folder too."""
    if word is None:
        return None
    return str(Path(word).absolute()) if Path(word).exists() else str(word)
