"""Recipes: everything that a training needs, as a plugin offers it or a run writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FILE = "recipe.yaml"


@dataclass(frozen=True)
class Recipe:
    """Everything that a training needs; a plugin's recipe names only some of it.

    Attributes:
        summary: What it is, with its source.
        settings: Of the loop, see `robust_restoration.training.Settings`.
        defense_options: Of the defense.
        network: Options of what is trained.
        trains: ``"denoiser"``, ``"purifier"`` or ``"classifier"``.
        name: The name of what is trained.
        defense: The defense's name.
        classifier: The classifier that a purifier or a denoiser is trained for.
        init_weights: What the network begins from, as `create_denoiser` takes it.
        data: The name of the data, or their folder.
        size: The side that images are brought to.
        channels: How many channels images are brought to.
        limit: Only the first so many images.
        val_fraction: The share of the data held out for validation.
    """

    summary: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    defense_options: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    trains: str = ""
    name: str = ""
    defense: str = ""
    classifier: str = ""
    init_weights: str | None = None
    data: str = ""
    size: int | None = None
    channels: int | None = None
    limit: int | None = None
    val_fraction: float = 0.05


def plain(value: Any) -> Any:
    """A value as YAML and JSON have it, with its type: tuples become lists, and numbers stay ones.

    What they do not have, such as a noise model, becomes its words.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, bool | None):
        return value
    for kind in (int, float, str):  # also their subclasses, such as numpy's, which YAML refuses
        if isinstance(value, kind):
            return kind(value)
    item = getattr(value, "item", None)  # a number of numpy's or torch's
    if callable(item) and getattr(value, "ndim", None) == 0:
        return item()
    words = str(value)
    # An address in memory is another one in each process.
    return words if " at 0x" not in words and len(words) < 200 else type(value).__qualname__
