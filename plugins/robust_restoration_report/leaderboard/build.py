"""Static pages of many result files: one table a protocol, one page a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust_restoration.errors import DataError, InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result import Record
from robust_restoration.files import atomic_path, write_json
from robust_restoration_report.figures import (
    LOWER_IS_BETTER,
    Figure,
    digits,
    head,
    rows,
    shown_metrics,
)
from robust_restoration_report.models import Model, known_models
from robust_restoration_report.write import render, write_report

from .protocol import SCHEMA, UNATTACKED, Submission, read_submission


@dataclass
class Line:
    """A subject in a table."""

    subject: str
    file: str
    images: int
    clean: Figure
    threats: dict[str, Figure]
    worst: Figure
    model: Model | None


@dataclass
class Board:
    """The subjects that were measured in one way, the one that keeps most first."""

    digest: str
    title: str
    metric: str
    threats: list[str]
    lines: list[Line]
    protocol: dict[str, Any]


def build(folder: Path, out: Path) -> list[str]:
    """Write the leaderboard of a folder of result files.

    Args:
        folder: Of files that ``evaluate`` wrote; searched for ``*.json``, not to the bottom.
        out: The site: ``index.html``, ``leaderboard.json``, ``results/`` and ``pages/``.

    Returns:
        What was refused, a sentence a file.

    Raises:
        InputError: If no file of the folder can be taken.
    """
    taken: list[Submission] = []
    refused: list[str] = []
    seen: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found = read_submission(path)
            for subject in found.result.subjects:
                other = seen.setdefault((found.digest, subject), path)
                if other != path and subject != "none":
                    raise DataError(f"{path} measures {subject} as {other} does already.")
            taken.append(found)
        except DataError as error:
            refused.append(str(error))
    if not taken:
        why = f": {refused[0]}" if refused else "; expected files that evaluate wrote."
        raise InputError(f"{folder} holds no result file that can be taken{why}")
    models = {model.name: model for model in known_models()}
    boards: dict[str, Board] = {}
    for found in taken:
        name = hashlib.sha256(found.path.read_bytes()).hexdigest()[:12]
        write_report([found.result], out / "pages" / f"{name}.html")
        with atomic_path(out / "results" / f"{name}.json") as temporary:
            temporary.write_bytes(found.path.read_bytes())
        board = boards.setdefault(found.digest, _board(found))
        known = {line.subject for line in board.lines}
        board.lines += [line for line in _lines(found, name, models) if line.subject not in known]
    for board in boards.values():
        sign = 1 if board.metric in LOWER_IS_BETTER else -1
        board.lines.sort(key=lambda line, s=sign: s * line.clean.mean)  # type: ignore[misc]
        board.lines.sort(key=lambda line, s=sign: s * _mean(line))  # type: ignore[misc]
        board.lines.sort(key=lambda line, s=sign: s * line.worst.mean)  # type: ignore[misc]
    text = render(
        "board.html", title="Leaderboard", boards=list(boards.values()), refused=refused, head=head
    )
    write_json(out / "leaderboard.json", _plain(list(boards.values())))
    with atomic_path(out / "index.html") as temporary:
        temporary.write_bytes(text.encode("utf-8", "replace"))
    return refused


def _mean(line: Line) -> float:
    """What all threats leave on average; where the worst leaves nothing, this says who is ahead."""
    return sum(f.mean for f in line.threats.values()) / max(1, len(line.threats))


def _board(found: Submission) -> Board:
    result, settings = found.result, found.result.settings
    noise = settings.get("noise")
    parts = [settings.get("classifier"), settings["data"], f"{settings['images']} images", noise]
    return Board(
        found.digest, ", ".join(str(p) for p in parts if p), shown_metrics(result)[0],
        result.threats, [], found.protocol,
    )


def _lines(found: Submission, file: str, models: dict[str, Model]) -> list[Line]:
    result = found.result
    metric = shown_metrics(result)[0]
    table = rows(result)
    lines = []
    for subject in result.subjects:
        own = [r for r in table if r.subject == subject and not r.control and metric in r.figures]
        clean = next((r for r in own if r.threat == UNATTACKED), None)
        if clean is None:
            continue
        last = {r.threat: r.figures[metric] for r in own if r.threat != UNATTACKED}
        lines.append(
            Line(subject, file, clean.images, clean.figures[metric], last,
                 _worst(result, subject, metric), models.get(subject))
        )
    return lines


def _worst(result: Result, subject: str, metric: str) -> Figure:
    """The mean over images of what the worst of all threats and strengths leaves of each."""
    least: dict[str, float] = {}
    worse = max if metric in LOWER_IS_BETTER else min
    for key, cell in result.cells().items():
        if key.subject == subject and not key.control and metric in cell:
            for image, value in cell[metric].items():
                least[image] = worse(least.get(image, value), value)
    record = [Record(subject, "", i, UNATTACKED, 0.0, "", metric, v) for i, v in least.items()]
    mean, low, high = Result(record).interval(metric=metric)
    scale = 100 if metric == "accuracy" else 1
    return Figure(scale * mean, scale * low, scale * high, digits(metric))


def _plain(boards: list[Board]) -> dict[str, Any]:
    def figure(value: Figure) -> dict[str, float]:
        return {"mean": value.mean, "low": value.low, "high": value.high}

    return {
        "schema": SCHEMA,
        "boards": [
            {
                "protocol": board.digest,
                "what": board.protocol,
                "metric": board.metric,
                "rows": [
                    {
                        "subject": line.subject, "result": f"results/{line.file}.json",
                        "images": line.images, "clean": figure(line.clean),
                        "threats": {name: figure(f) for name, f in line.threats.items()},
                        "worst": figure(line.worst),
                    }
                    for line in board.lines
                ],
            }
            for board in boards
        ],
    }

