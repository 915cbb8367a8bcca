"""A run's ``recipe.yaml``: written for people, and read as they may have changed it."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from robust_restoration.errors import DataError, cleaned
from robust_restoration.files import atomic_path
from robust_restoration.models.weights_header import LARGEST
from robust_restoration.training.recipes import FILE, Recipe, plain

LONGEST = 2**20  # bytes
MOST = 10_000  # values
TRAINED = ("", "denoiser", "purifier", "classifier")


def write_recipe(recipe: Recipe, path: Path | str) -> None:
    """Write a recipe as YAML, for people to read and for ``--recipe FILE``; atomically."""
    import yaml

    content = plain(asdict(recipe))
    with atomic_path(path) as temporary:
        temporary.write_text(
            yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


def read_recipe(path: Path | str) -> Recipe:
    """Read what a run wrote, see `write_recipe`.

    Raises:
        DataError: If the file is missing or is not a recipe.
    """
    import yaml

    try:
        if Path(path).exists() and not Path(path).is_file():  # a pipe has no end
            raise ValueError("it is no plain file")
        with Path(path).open("rb") as file:
            text = file.read(LONGEST + 1)
        if len(text) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} bytes")
        content = yaml.safe_load(text.decode())
        if not isinstance(content, dict):
            raise ValueError(f"it holds {type(content).__name__}, no names with values")
        _check_size([content])
        known = {f.name: f.type for f in fields(Recipe)}
        unknown = sorted(map(str, content.keys() - known))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a part of recipes")
        for name in ("settings", "defense_options", "network"):
            options = content.get(name, {})
            if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
                raise ValueError(f"{name} holds no options")
        for name, value in content.get("network", {}).items():
            if isinstance(value, int) and abs(value) > LARGEST:  # networks so large never end
                raise ValueError(f"the network's {name} is {value}")
        if content.get("trains", "") not in TRAINED:
            raise ValueError(f"trains is {content['trains']!r}; expected {', '.join(TRAINED[1:])}")
        return Recipe(**content)
    except RecursionError:
        first = "it is too deep"
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        first = cleaned(str(error).partition("\n")[0], 200)
    raise DataError(f"{path} is not a recipe ({first}); expected a file {FILE} of a run's folder.")


def _check_size(values: list[Any]) -> None:
    """Raise a `ValueError` where there are more values than a recipe has.

    YAML's anchors make a short file stand for endlessly many, also for ones that hold themselves.
    """
    count = 0
    while values:
        value = values.pop()
        count += 1
        if count > MOST:
            raise ValueError(f"it stands for more than {MOST} values")
        if isinstance(value, dict | list | tuple | set):
            values += value.values() if isinstance(value, dict) else value
