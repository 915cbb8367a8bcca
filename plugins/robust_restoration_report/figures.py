"""A result's figures as a page shows them: rows of means with their intervals, and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result.result import APART
from robust_restoration.evaluation.result.table import HEADS, level

UNATTACKED = "unattacked"
SHARES = ("accuracy", "certified accuracy")  # from 0 to 1, shown in per cent
LOWER_IS_BETTER = ("mae", "abstained")
SAID = 4  # subjects that the summary speaks of


@dataclass
class Figure:
    """A mean with its interval, and how many digits it deserves."""

    mean: float
    low: float
    high: float
    digits: int
    signed: bool = False

    def __str__(self) -> str:
        return f"{self.mean:{'+' if self.signed else ''}.{self.digits}f}"

    @property
    def between(self) -> str:
        """The interval of 95 %, in words."""
        return f"{self.low:.{self.digits}f} to {self.high:.{self.digits}f}"

    @property
    def half(self) -> str:
        """Half the interval's length, as it stands behind a plus-minus sign."""
        return f"{(self.high - self.low) / 2:.{self.digits}f}"


@dataclass
class Row:
    """One condition: its figures by metric, what the threat changed, and the change's size."""

    subject: str
    data: str
    threat: str
    eps: float
    control: str
    images: int
    figures: dict[str, Figure]
    change: Figure | None = None
    size: float | None = None

    @property
    def level(self) -> str:
        """The budget as people write it."""
        return "" if self.threat == UNATTACKED or math.isinf(self.eps) else level(self.eps)

    @property
    def label(self) -> str:
        """The condition without its subject."""
        words = [self.control or self.threat, *([f"at {self.level}"] if self.level else [])]
        return " ".join(words)


def shown_metrics(result: Result) -> list[str]:
    """The metrics that a table has columns for; the first is what curves are of."""
    found = [m for m in result.metrics if m not in APART]
    return sorted(found, key=lambda m: m != "accuracy")


def head(metric: str) -> str:
    """A metric as the head of a column."""
    return HEADS.get(metric, f"{metric} in %" if metric in SHARES else metric)


def digits(metric: str) -> int:
    """How many digits behind the point a metric is shown with."""
    return 1 if metric in SHARES else 2 if metric.endswith("psnr") else 4


def rows(result: Result) -> list[Row]:
    """Every condition of a result, in its order."""
    metrics = shown_metrics(result)
    found = []
    for key, cell in result.cells().items():
        known: dict[str, Any] = {"threat": key.threat, "eps": key.eps, "control": key.control}
        which: dict[str, Any] = {"subject": key.subject, "data": key.data}
        figures = {
            m: _figure(m, result.interval(metric=m, **known, **which)) for m in metrics if m in cell
        }
        row = Row(
            key.subject, key.data, key.threat, key.eps, key.control,
            max(len(values) for values in cell.values()), figures,
        )
        first = next(iter(figures), None)
        before = key._replace(threat=UNATTACKED, eps=0.0, control="")
        if key.threat != UNATTACKED and first and first in result.cells().get(before, {}):
            change = result.difference(known, {"threat": UNATTACKED}, first, **which)
            row.change = _figure(first, change, signed=True)
        if "size" in cell:
            row.size = 255 * sum(cell["size"].values()) / len(cell["size"])
        found.append(row)
    return found


def _figure(metric: str, interval: tuple[float, float, float], signed: bool = False) -> Figure:
    scale = 100 if metric in SHARES else 1
    mean, low, high = interval
    return Figure(scale * mean, scale * low, scale * high, digits(metric), signed)


def summary(result: Result, table: list[Row]) -> list[str]:
    """A sentence a subject and data set: how it does, and what the worst attack leaves of it."""
    said = []
    for data in result.data:
        told = {s: _told(result, [r for r in table if (r.subject, r.data) == (s, data)])
                for s in result.subjects}
        # A figure's sort key puts the subject that keeps most under its worst attack first.
        order = sorted((t for t in told.values() if t), key=lambda t: -t[0])
        if len(order) > 1:
            said.append(
                f"On {data} ({len(result.images(data))} images), of {len(order)} subjects the one "
                f"that keeps most under the worst attack measured stands first."
            )
        said += [sentence for _, sentence in order[:SAID]]
        if len(order) > SAID:
            said.append(f"{len(order) - SAID} more are in the table.")
    return said


def _told(result: Result, table: list[Row]) -> tuple[float, str] | None:
    metric = next(iter(shown_metrics(result)), "")
    table = [r for r in table if metric in r.figures]
    if not table:
        return None
    sign = -1 if metric in LOWER_IS_BETTER else 1
    unit = " %" if metric in SHARES else " dB" if metric == "psnr" else f" {metric}"
    first = table[0]
    who = "No purifier" if first.subject == "none" else first.subject

    def words(row: Row) -> str:
        figure = row.figures[metric]
        return f"{figure}{unit} ({figure.between})"

    plain = next((r for r in table if r.threat == UNATTACKED), None)
    attacked = [r for r in table if r.threat != UNATTACKED and not r.control]
    where = f"{who} on {first.data} ({first.images} images"
    noise = result.settings.get("noise")
    colours = result.settings.get("colours")
    where += f", {colours}" if isinstance(colours, str) else ""
    where += f", {noise})" if isinstance(noise, str) else ")"
    verb = ": right on" if metric == "accuracy" else ": restores to" if metric == "psnr" else ":"
    text = f"{where}{verb} {words(plain)}" if plain else where
    if not attacked:
        value = plain.figures[metric].mean if plain else 0.0
        return sign * value, f"{text}; no attack was measured."
    worst = min(attacked, key=lambda r: sign * r.figures[metric].mean)
    text += f"; under {worst.label}, the worst measured, {words(worst)}"
    if worst.images != first.images:
        text += f" on {worst.images} images"
    beside = [
        r for r in table if r.control and (r.threat, r.eps) == (worst.threat, worst.eps)
    ]
    if beside:
        control = min(beside, key=lambda r: sign * r.figures[metric].mean)
        text += f", and under its control {control.control!r} {words(control)}"
    return sign * worst.figures[metric].mean, text + "."
