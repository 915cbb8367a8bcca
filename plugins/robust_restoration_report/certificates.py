"""Files of certificates as results, so that a page shows them as it shows everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from robust_restoration.errors import DataError, InputError, what_is_wrong
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result import UNATTACKED, Record
from robust_restoration.files import read_text

from .figures import Row

METRIC = "certified accuracy"
ANY_ATTACK = "any attack in L2"


def read_result(path: Path) -> Result:
    """What a file holds that ``evaluate`` or ``certify`` wrote.

    Of certificates, each radius at which the file gives certified accuracy is a strength, at which
    an image counts whose answer is right and certified to that radius or beyond.

    Raises:
        DataError: If it is neither.
    """
    try:
        raw = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError):
        raw = None  # which the reader of results says better
    if not isinstance(raw, dict) or "certified" not in raw:
        return Result.from_json(path)
    try:
        return _result(raw)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} holds no certificates that can be read ({what_is_wrong(error)}); expected a "
            "file that certify wrote."
        ) from error


def as_result(given: Any) -> Result:
    """A result as it is, a file as it is read, and what ``rr.create_certifier`` found as one."""
    if isinstance(given, Result):
        return given
    if isinstance(given, (str, Path)):
        return read_result(Path(given))
    try:
        return _result(given.to_dict())
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"A page cannot show a {type(given).__name__}; expected a result of evaluate, "
            "certificates of certify_set, or the file of either."
        ) from error


def _result(raw: dict[str, Any]) -> Result:
    settings = dict(raw["settings"])
    subject = str(settings["classifier"]).rpartition(":")[2]
    if settings.get("denoiser"):
        subject += f" behind {settings['denoiser']}"
    subject += f", smoothed with sigma {settings['sigma']:g}"
    data = str(settings.get("data") or "images")
    records = []
    for radius in sorted(map(float, raw["certified"])):
        threat = ANY_ATTACK if radius else UNATTACKED
        for row in raw["records"]:
            sure = row["prediction"] == row["label"] and float(row["radius"]) >= radius
            records.append(
                Record(subject, data, str(row["image"]), threat, radius, "", METRIC, float(sure))
            )
    settings["abstained"] = float(raw["abstained"]["mean"])
    settings.setdefault("images", len(raw["records"]))
    settings["alpha"] = float(settings.get("alpha", 0.001))
    return Result(records, settings, dict(raw["environment"]), [], list(map(str, raw["damaged"])))


def certified_summary(result: Result, table: list[Row]) -> list[str]:
    """What is certified, in words."""
    settings = result.settings
    sure = 100 * (1 - settings.get("alpha", 0.001))
    said = []
    for subject in result.subjects:
        own = [row for row in table if row.subject == subject]
        at = [
            f"{row.figures[METRIC]} % ({row.figures[METRIC].between}) "
            + (f"within {row.eps:g}" if row.eps else "as it comes, right and not abstaining")
            for row in own
        ]
        said.append(f"{subject} on {own[0].data} ({own[0].images} images): {'; '.join(at)}.")
    said.append(
        f"Within an L2 radius of that length, in [0, 1] units, no attack whatever changes the "
        f"answer of the smoothed classifier, with a probability of {sure:g} % an image "
        f"(n = {settings.get('n', 'not said')}). It abstains from "
        f"{100 * settings['abstained']:.1f} %."
    )
    return said
