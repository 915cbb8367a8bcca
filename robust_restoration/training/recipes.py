"""Settings of the papers' denoiser trainings, by name; and of any run, from its own record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robust_restoration.errors import DataError, UnknownNameError, did_you_mean
from robust_restoration.files import atomic_path
from robust_restoration.plugins.registry import registry

LEVEL = 25 / 255


@dataclass(frozen=True)
class Recipe:
    """Everything a training needs besides the defense's own options.

    Attributes:
        summary: What it is, with its source.
        settings: Of the loop, see `robust_restoration.training.Settings`.
        defense_options: Of the defense.
        network: Of the denoiser.
    """

    summary: str
    settings: dict[str, Any]
    defense_options: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)


ADAM = {"lr": 1e-3, "betas": (0.9, 0.999), "schedule": "steps", "precision": "bf16"}
BLIND = {"sigma": (0.0, LEVEL)}
RECIPES = {
    # 75 epochs of 3000 batches; the colour one has 50.
    "obsatk-gray": Recipe(
        "ObsAtk and HAT, gray (arXiv:2201.04397 and its code): 225,000 steps of 128 squares",
        {**ADAM, "steps": 225_000, "batch_size": 128, "milestones": (30 / 75, 50 / 75, 70 / 75)},
        {**BLIND, "patch": 50},
    ),
    "obsatk-colour": Recipe(
        "ObsAtk and HAT, colour (arXiv:2201.04397 and its code): 150,000 steps of 128 squares",
        {**ADAM, "steps": 150_000, "batch_size": 128, "milestones": (20 / 50, 40 / 50)},
        {**BLIND, "patch": 50},
    ),
    # 50 epochs; 238,336 squares of Train400 at stride 10 and four scales, 128 a batch.
    "typical-set": Recipe(
        "DnCNN of the typical-set paper: 93,100 steps of 128 squares at four scales",
        {
            **ADAM,
            "steps": 93_100,
            "batch_size": 128,
            "milestones": (30 / 50,),
            "gamma": 0.1,
        },
        {"sigma": LEVEL, "patch": 40, "scales": (1.0, 0.9, 0.8, 0.7)},
        {"depth": 17},
    ),
    "compact": Recipe(
        "a small network for a processor: 5,000 steps of 64 squares",
        {**ADAM, "steps": 5_000, "batch_size": 64, "validate_every": 500},
        {**BLIND, "patch": 40},
        {"depth": 10, "features": 32},
    ),
}


def recipe_for(name: str, defense: str) -> Recipe:
    """A recipe, without the options that a defense does not take.

    Args:
        name: One of `RECIPES`, or a file that `write_recipe` wrote.
        defense: The defense's name.

    Raises:
        UnknownNameError: If there is none of the name.
        DataError: If the file is missing or holds no recipe.
    """
    if name.endswith((".yaml", ".yml")):
        return _read(Path(name))
    if name not in RECIPES:
        raise UnknownNameError(f"There is no recipe {name!r}. {did_you_mean(name, list(RECIPES))}")
    recipe = RECIPES[name]
    taken = registry().accepted("defenses", defense, recipe.defense_options)
    return Recipe(recipe.summary, recipe.settings, taken, recipe.network)


def write_recipe(recipe: Recipe, path: Path | str) -> None:
    """Write a recipe as YAML, for people to read and for ``--recipe FILE``; atomically."""
    import yaml

    content = {
        "summary": recipe.summary,
        "network": _plain(recipe.network),
        "defense_options": _plain(recipe.defense_options),
        "settings": _plain(recipe.settings),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _read(path: Path) -> Recipe:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Recipe(
            str(content["summary"]),
            dict(content["settings"]),
            dict(content["defense_options"]),
            dict(content["network"]),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is no recipe ({error}); expected a file recipe.yaml of a run's folder."
        ) from error


def _plain(value: Any) -> Any:
    """What YAML has: tuples as lists, and objects such as noise models as their words."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
