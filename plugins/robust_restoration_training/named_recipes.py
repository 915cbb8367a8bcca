"""Recipes under a name, and what of them suits another network or defense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from robust_restoration.errors import InputError, UnknownNameError
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target, options_of
from robust_restoration.training.recipes import Recipe

from .recipe_file import read_recipe


def load_recipe(word: str) -> Recipe:
    """A recipe by name, or of a run.

    Args:
        word: A name that ``robust-restoration list recipes`` lists, or a file ``recipe.yaml``.

    Raises:
        UnknownNameError: If there is none of the name; names the nearest.
        DataError: If the file is missing or is not a recipe.
    """
    if word.endswith((".yaml", ".yml")):
        return read_recipe(Path(word))
    offer, _ = registry().find("recipes", word)
    made = load_target(offer.entry)
    made = made() if callable(made) else made
    if not isinstance(made, Recipe):
        raise InputError(
            f"The recipe {word!r} is a {type(made).__name__}; expected a Recipe, or a function "
            "that returns one."
        )
    return made


def default_steps(defense: str, trains: str) -> dict[str, Any]:
    """How long to train where neither that nor a recipe is given: as the defense's own recipe says.

    Nothing but ``steps``: all else has the defaults of `Settings`, as training in Python has.

    Args:
        defense: The defense's name, which is a role of its recipe's entry.
        trains: ``"denoiser"``, ``"purifier"`` or ``"classifier"``: likewise.
    """
    for role in (defense, trains):
        try:
            settings = load_recipe(registry().default("recipes", role)).settings
        except UnknownNameError:
            continue
        return {"steps": settings["steps"]} if "steps" in settings else {}
    return {}


def suited(recipe: Recipe, kind: str, name: str, defense: str) -> Recipe:
    """A recipe without options that a network or a defense does not take.

    Named recipes suit several: a classifier has no depth, and not every defense has noise.

    Args:
        recipe: The recipe.
        kind: Of the network, such as ``"denoisers"``; ``"classifiers"`` have no options in recipes.
        name: The network's name.
        defense: The defense's name.
    """
    return replace(
        recipe,
        defense_options=_taken("defenses", defense, recipe.defense_options),
        network={} if kind == "classifiers" else _taken(kind, name, recipe.network),
    )


def _taken(kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    offer, _ = registry().find(kind, name)
    known = options_of(load_target(offer.entry))
    return {option: value for option, value in options.items() if option in known}
