"""A result as plain data, as its JSON has it, and back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from robust_restoration.errors import DataError

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
        raw = json.loads(str(source) if text else Path(source).read_text(encoding="utf-8"))
        records = [record for group in raw["records"] for record in _records(group, raw["images"])]
        return Result(
            records, raw["settings"], raw["environment"], raw["notes"], raw["damaged"]
        )
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        where = "The text" if text else str(source)
        raise DataError(f"{where} is not a result of an evaluation ({error!r}).") from error


def _records(group: dict[str, Any], images: dict[str, list[str]]) -> list[Record]:
    names = group.get("images", images[group["data"]])
    eps = math.inf if group["eps"] is None else float(group["eps"])
    columns = [zip(names, values, strict=True) for values in group["values"].values()]
    return [
        Record(
            group["subject"], group["data"], image, group["threat"], eps,
            group["control"], metric, float(value),
        )
        for row in zip(*columns, strict=True)
        for metric, (image, value) in zip(group["values"], row, strict=True)
    ]
