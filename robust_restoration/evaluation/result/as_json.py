"""A result as plain data, as its JSON has it, and back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from robust_restoration.errors import DataError, what_is_wrong
from robust_restoration.files import read_text

from .result import Record, Result


def to_plain(result: Result) -> dict[str, Any]:
    """All of a result; records are grouped by condition, values in images' order."""
    images = {name: result.images(name) for name in result.data}
    groups = []
    for key, cell in result.cells().items():
        names = list(next(iter(cell.values())))
        own = {} if names == images[key.data] else {"images": names}
        values = {metric: [found[name] for name in names] for metric, found in cell.items()}
        groups.append({**_finite(key._asdict()), **own, "values": values})
    return {
        "settings": result.settings,
        "environment": result.environment,
        "images": images,
        "summary": [_finite(row) for row in result.summary()],
        "records": groups,
        "notes": result.notes,
        "warnings": result.warnings(),
        "damaged": result.damaged,
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose eps JSON can hold: nothing in place of infinity."""
    return {**row, "eps": None if math.isinf(row["eps"]) else row["eps"]}


def read(source: Path | str) -> Result:
    """The result in a file, or in JSON text.

    Raises:
        DataError: If it is damaged, or not there.
    """
    text = isinstance(source, str) and source.lstrip().startswith("{")
    try:
        raw = json.loads(str(source) if text else read_text(source))
        _check(raw)
        records = [record for group in raw["records"] for record in _records(group, raw["images"])]
        return Result(records, raw["settings"], raw["environment"], raw["notes"], raw["damaged"])
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError) as error:
        where = "The text" if text else str(source)
        said = what_is_wrong(error)
        raise DataError(f"{where} is not a result of an evaluation ({said}).") from error


def _check(raw: Any) -> None:
    """Raise a `ValueError` where a part is of another kind than what is done with it later asks."""
    if not isinstance(raw, dict):
        raise ValueError("it holds no JSON object")
    settings = raw["settings"]
    threats = settings.get("threats", {})
    words, tables = ("classifier", "data", "denoiser", "noise"), ("threats", "weights")
    kinds: list[tuple[str, Any, Any]] = [
        *((name, raw[name], dict) for name in ("environment", "images")),
        *((name, settings.get(name, {}), dict) for name in tables),
        *((name, settings.get(name), str | None) for name in words),
        *((f"the threat {name!r}", told, dict) for name, told in threats.items()),
        *(("a limit", told.get("limit"), int | None) for told in threats.values()),
    ]
    for name, value, kind in kinds:
        if not isinstance(value, kind):
            raise ValueError(f"{name} is of type {type(value).__name__}")
    texts = [raw["notes"], raw["damaged"], *raw["images"].values()]
    numbers = [told.get("eps", []) for told in threats.values()]
    if not all(_all(text, str) for text in texts) or not all(_all(n, int | float) for n in numbers):
        raise ValueError("notes, names of images or an eps are of another type")


def _all(values: Any, kind: Any) -> bool:
    """Whether it is a list of values of a kind."""
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def _records(group: dict[str, Any], images: dict[str, list[str]]) -> list[Record]:
    names = group.get("images", images[group["data"]])
    eps = math.inf if group["eps"] is None else float(group["eps"])
    words = [group[name] for name in ("subject", "data", "threat", "control")]
    if not _all([*words, *names, *group["values"]], str):
        raise ValueError("a condition, an image or a metric is no text")
    if not eps >= 0:
        raise ValueError(f"an eps is {eps}")
    columns = [zip(names, values, strict=True) for values in group["values"].values()]
    return [
        Record(
            group["subject"], group["data"], image, group["threat"], eps,
            group["control"], metric, float(value),
        )
        for row in zip(*columns, strict=True)
        for metric, (image, value) in zip(group["values"], row, strict=True)
    ]
