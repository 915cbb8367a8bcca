"""Recipes: everything that a training needs, as a plugin offers it or a run writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from robust_restoration.files import atomic_path
from robust_restoration.models.origin import origin_of

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

    @classmethod
    def of(cls, model: Any, defense: Any, data: Any, val_fraction: float) -> Recipe:
        """What is known by name of a training whose parts were made in Python.

        What was not created by name stays empty, and such a recipe cannot be repeated.
        """
        network, method = origin_of(model), origin_of(defense)
        name, trains = (network.name, network.kind[:-1]) if network else ("", "")
        weights = network.weights if network else None
        options = {**network.options, **getattr(model, "options", {})} if network else {}
        given = dict(method.options) if method else {}
        classifier = given.pop("classifier", None)
        return cls(
            summary=f"{method.name if method else type(defense).__name__} of "
            f"{name or type(model).__name__}",
            defense_options=given,
            network=options,
            trains=trains,
            name=name,
            defense=method.name if method else "",
            classifier=_name_of(classifier),
            init_weights=path_or_name(weights),
            data=path_or_name(data) or "" if isinstance(data, str | Path) else "",
            val_fraction=val_fraction,
        )


def write_recipe(recipe: Recipe, path: Path | str) -> None:
    """Write a recipe as YAML, for people to read and for ``--recipe FILE``; atomically."""
    import yaml

    content = plain(asdict(recipe))
    with atomic_path(path) as temporary:
        temporary.write_text(
            yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


def path_or_name(word: Path | str | None) -> str | None:
    """A word for data or weights, such that it is found from another folder too."""
    if word is None:
        return None
    return str(Path(word).absolute()) if Path(word).exists() else str(word)


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


def _name_of(classifier: Any) -> str:
    """What a classifier made in Python is called; a recipe that is repeated must find it so."""
    if classifier is None:
        return ""
    from robust_restoration.models.classifiers import classifier_name

    return classifier_name(classifier)
