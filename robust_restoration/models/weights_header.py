"""What a file says of the network it is for: options and combinations, read with suspicion."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.errors import WeightsError, cleaned, what_is_wrong
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target, parameters_of

from .origin import Origin, remember

LONGEST = 2**16  # characters of JSON
DEEPEST = 8
LARGEST = 1_000_000  # no size or count of a network is above it
MOST = 16  # members of a combination


def read_json(text: str, path: Path | str) -> dict[str, Any]:
    """The JSON object in a file's header.

    Raises:
        WeightsError: If it is damaged, too long or too deep, or has numbers beyond reason.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters")
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("not an object")
        _check(content)
    except (ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path} has a damaged header: its options cannot be read ({what_is_wrong(error)}); "
            "get it again from where it came."
        ) from error
    return content


def _check(value: Any, depth: int = 0) -> None:
    """Raise a `ValueError` where JSON is too deep, or has a number beyond reason."""
    if depth > DEEPEST:
        raise ValueError("it is too deep")
    if (isinstance(value, int) and abs(value) > LARGEST) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise ValueError(f"the number {cleaned(str(value), 20)}")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check(inner, depth + 1)


def check_types(target: Any, options: dict[str, Any], path: Path | str) -> None:
    """Check options out of a file against a constructor's signature and defaults.

    Raises:
        WeightsError: If it takes no such option, or one of another type.
    """
    try:
        parameters = parameters_of(target)
    except (TypeError, ValueError):
        return
    for name, value in options.items():
        parameter = parameters.get(name)
        if parameter is None:
            continue  # creating it says so, with what is near
        if not _suits(value, parameter):
            raise WeightsError(
                f"{path} was saved with {cleaned(name)}={cleaned(repr(value))}; expected "
                f"{_expected(parameter)}."
            )


def _expected(parameter: inspect.Parameter) -> str:
    if parameter.default in (None, parameter.empty):
        return str(parameter.annotation)
    return f"a value like {parameter.default!r}"


def _suits(value: Any, parameter: inspect.Parameter) -> bool:
    default, annotation = parameter.default, str(parameter.annotation)
    if default is parameter.empty or default is None:
        return value is None or not isinstance(value, dict)
    if value is None:
        return "None" in annotation
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, int | float):
        kinds = int if isinstance(default, int) and "float" not in annotation else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    if isinstance(default, tuple | list):
        return isinstance(value, list)
    return isinstance(value, type(default))


def build(content: Any, path: Path | str) -> nn.Module:
    """The purifier that a description in a file stands for, without its weights.

    Args:
        content: ``{"entry": NAME, "options": {...}}`` or ``{"chain": [...]}``.
        path: The file, for messages.

    Raises:
        WeightsError: If it is neither.
    """
    from .chain import Chain

    match content:
        case {"entry": str(name), **rest} if set(rest) <= {"options"}:
            options = rest.get("options", {})
            if isinstance(options, dict):
                offer, _ = registry().find("purifiers", name)
                check_types(load_target(offer.entry), options, path)
                made: nn.Module = registry().create("purifiers", name, **options)
                return remember(made, Origin("purifiers", name, options))
        case {"chain": list(members), **rest} if not rest and len(members) <= MOST:
            return Chain(*[build(member, path) for member in members])
    raise WeightsError(
        f"{path} describes {cleaned(repr(content))}; expected an entry with options, or a chain."
    )
