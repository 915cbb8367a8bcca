"""Settings of the papers' denoiser trainings, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .errors import UnknownNameError, did_you_mean
from .registry import registry

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
        name: One of `RECIPES`.
        defense: The defense's name.

    Raises:
        UnknownNameError: If there is none of the name.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"There is no recipe {name!r}. {did_you_mean(name, list(RECIPES))}")
    recipe = RECIPES[name]
    taken = {
        option: value
        for option, value in recipe.defense_options.items()
        if registry().takes("defenses", defense, option)
    }
    return Recipe(recipe.summary, recipe.settings, taken, recipe.network)
