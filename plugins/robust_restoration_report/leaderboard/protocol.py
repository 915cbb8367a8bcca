"""What makes two results' figures comparable, and what a result file must hold to be believed."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust_restoration.errors import DataError
from robust_restoration.evaluation import Result

SCHEMA = 1
NEEDED = ("data", "data_hash", "images", "seed", "threats", "weights")
PROTOCOL = (
    "data", "data_hash", "images", "noise", "sigma", "within_level", "classifier",
    "classifier_weights", "threats", "seed", "autocast",
)
UNATTACKED = "unattacked"
ROUNDING = 1e-5  # of float32: the SSIM of an image with itself may lie above 1
LIMITS = {"accuracy": (0.0, 1.0), "ssim": (-1.0, 1.0), "mae": (0.0, 1.0), "size": (0.0, 2.0)}


@dataclass
class Submission:
    """A result file that holds together.

    Attributes:
        path: The file.
        result: What it holds.
        protocol: What was measured how; files of one hash stand in one table.
        digest: The protocol's hash.
    """

    path: Path
    result: Result
    protocol: dict[str, Any]
    digest: str


def read_submission(path: Path) -> Submission:
    """Read a result file, and see that it holds together.

    This finds damage and careless changes, not lies: those are found by `verify`, which measures
    again.

    Raises:
        DataError: With the first thing that is wrong.
    """
    result = Result.from_json(path)
    raw = json.loads(path.read_text(encoding="utf-8"))
    missing = [name for name in NEEDED if name not in result.settings]
    if missing or not result.records:
        raise DataError(
            f"{path} holds no {' and no '.join(missing or ['records'])}; expected a file that "
            "evaluate wrote, of this version."
        )
    _check_numbers(path, result)
    _check_summary(path, result, raw.get("summary"))
    _check_images(path, result)
    protocol = {name: result.settings.get(name) for name in PROTOCOL}
    # An ensemble's version is among its options; the package's own stands for everything else.
    version = str(result.environment.get("robust_restoration", "unknown"))
    protocol |= {"schema": SCHEMA, "version": ".".join(version.split(".")[:2])}
    text = json.dumps(protocol, sort_keys=True, ensure_ascii=True, default=str)
    return Submission(path, result, protocol, hashlib.sha256(text.encode()).hexdigest()[:12])


def _check_numbers(path: Path, result: Result) -> None:
    for record in result.records:
        low, high = LIMITS.get(record.metric, (-math.inf, math.inf))
        whole = record.metric != "accuracy" or record.value in (0.0, 1.0)
        inside = low - ROUNDING <= record.value <= high + ROUNDING
        if not inside or not math.isfinite(record.value) or not whole:
            raise DataError(
                f"{path} says {record.metric} {record.value:g} of {record.image!r} under "
                f"{record.threat!r}, which no evaluation gives."
            )


def _check_summary(path: Path, result: Result, told: Any) -> None:
    fresh = result.summary()
    if not isinstance(told, list) or len(told) != len(fresh):
        raise DataError(f"{path} has a summary of other conditions than its records.")
    for row, own in zip(told, fresh, strict=True):
        for name, value in own.items():
            claimed = row.get(name) if isinstance(row, dict) else None
            same = (
                isinstance(claimed, int | float) and math.isclose(claimed, value, abs_tol=1e-9)
                if isinstance(value, float) else claimed == value
            )
            if not same:
                raise DataError(
                    f"{path} says {name} {claimed!r} of {own['subject']} under {own['threat']!r}, "
                    f"and its records {value!r}: one of them was changed."
                )


def _check_images(path: Path, result: Result) -> None:
    count, threats = result.settings["images"], result.settings["threats"]
    unknown = [t for t in result.threats if t not in threats]
    if unknown:
        raise DataError(f"{path} does not say what the threat {unknown[0]!r} is.")
    for subject in result.subjects:
        if subject not in result.settings["weights"] and subject != "none":
            raise DataError(f"{path} does not say which weights {subject!r} has.")
        wanted = [(UNATTACKED, 0.0, count)]
        for name in threats:
            limit = threats[name].get("limit")
            number = count if limit is None else min(limit, count)
            wanted += [(name, eps, number) for eps in threats[name].get("eps", [])]
        for threat, eps, number in wanted:
            cells = [
                cell for key, cell in result.cells().items()
                if key.subject == subject and key.threat == threat and not key.control
                and abs(key.eps - eps) < 1e-9
            ]
            had = len(next(iter(cells[0].values()))) if cells else 0
            if had != number:
                raise DataError(
                    f"{path} has figures of {subject} under {threat!r} for {had} images of "
                    f"{number}; go on with the evaluation until all are there."
                )
