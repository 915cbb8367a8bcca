"""Tables of a result: by strength where something is classified, else by condition."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .result import Condition, Result

UNATTACKED = "unattacked"
HEADS = {"psnr": "PSNR in dB", "ssim": "SSIM", "mae": "MAE", "accuracy": "accuracy in %"}
DIGITS = {"psnr": 2, "accuracy": 1}
APART = ("size", "observed psnr")


@dataclass
class Table:
    """Words in rows; those of ``faint`` are controls."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    faint: list[bool]


def level(eps: float) -> str:
    """A budget as people write it: ``8/255``, or ``0.03``."""
    parts = eps * 255
    return f"{round(parts)}/255" if eps and abs(parts - round(parts)) < 1e-6 else f"{eps:g}"


def tables(result: Result, metric: str | None = None) -> list[Table]:
    """The tables that show a result."""
    if not result.records:
        return []
    if "accuracy" in result.metrics:
        return [
            _by_strength(result, data, threat, metric or "accuracy")
            for data in result.data
            for threat in (result.threats or [UNATTACKED])
        ]
    return [_by_condition(result, data) for data in result.data]


def title(result: Result, data: str) -> str:
    """What was evaluated on what."""
    settings = result.settings
    who = settings.get("classifier") or settings.get("denoiser") or ", ".join(result.subjects)
    noise = f", {settings['noise']}" if "noise" in settings else ""
    return f"{who} on {data} ({len(result.images(data))} images){noise}"


def label(key: Condition, result: Result) -> str:
    """A condition's name: threat, and budget and subject where there are several."""
    words = [key.control or key.threat]
    if not key.control and len(result.strengths(key.threat)) > 1:
        words.append(level(key.eps))
    return " ".join(words)


def _by_condition(result: Result, data: str) -> Table:
    metrics = [m for m in result.metrics if m not in APART]
    first = metrics[0]
    several = len(result.subjects) > 1
    heads = [
        *(["subject"] if several else []), "condition", *(HEADS.get(m, m) for m in metrics),
        f"{HEADS.get(first, first).split(' in ')[0]} change", "size x255",
    ]
    rows, faint = [], []
    for key, cell in result.cells().items():
        if key.data != data:
            continue
        means = {m: statistics.fmean(values.values()) for m, values in cell.items()}
        name = f"  {label(key, result)}" if key.control else label(key, result)
        row = [name, *(f"{means[m]:.{DIGITS.get(m, 4)}f}" if m in means else "" for m in metrics)]
        if key.threat == UNATTACKED:
            row += ["", ""]
        else:
            which = {"subject": key.subject, "eps": key.eps, "data": data, "control": key.control}
            change = result.dmr(key.threat, first, **which)
            row += [f"{change:+.{DIGITS.get(first, 4)}f}", f"{255 * means['size']:.2f}"]
        rows.append([key.subject, *row] if several else row)
        faint.append(bool(key.control))
    return Table(title(result, data), heads, rows, faint)


def _by_strength(result: Result, data: str, threat: str, metric: str) -> Table:
    strengths = [] if threat == UNATTACKED else result.strengths(threat)
    controls = ["", *result.controls(threat)]
    rows, faint, count = [], [], 0
    scale, digits = (100, 1) if metric == "accuracy" else (1, DIGITS.get(metric, 4))
    cells = {k: c[metric] for k, c in result.cells().items() if k.data == data and metric in c}
    for subject in result.subjects:
        for control in controls:
            row = []
            for eps in (0.0, *strengths):
                values = next(
                    (
                        v for k, v in cells.items()
                        if (k.subject, k.eps) == (subject, eps)
                        and k.control == (control if eps else "")
                        and k.threat == (threat if eps else UNATTACKED)
                    ),
                    None,
                )
                row.append("")
                if values is not None and not (control and not eps):
                    count = count if eps == 0 and threat != UNATTACKED else len(values)
                    row[-1] = f"{scale * statistics.fmean(values.values()):.{digits}f}"
            if any(row):
                rows.append([f"  {control}" if control else subject, *row])
                faint.append(bool(control))
    what = result.settings.get("classifier", "")
    return Table(
        f"{HEADS.get(metric, metric)}, {threat}, {count} images of {data}"
        + (f", {what}" if what else ""),
        [threat, "0", *(level(e) for e in strengths)],
        rows,
        faint,
    )


def markdown(table: Table) -> str:
    """A table as Markdown; controls are set off by a dot."""
    lines = [f"| {' | '.join(table.heads)} |", "|---|" + "---:|" * (len(table.heads) - 1)]
    for row in table.rows:
        words = [f"· {word.strip()}" if word.startswith("  ") else word for word in row]
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


def rich_table(table: Table) -> Any:
    """A table for rich; controls are dim."""
    from rich.table import Table as RichTable

    made = RichTable(title=table.title, title_justify="left")
    words = 2 if table.heads[0] == "subject" else 1
    for number, head in enumerate(table.heads):
        made.add_column(head, justify="left" if number < words else "right")
    for row, faint in zip(table.rows, table.faint, strict=True):
        made.add_row(*row, style="dim" if faint else None)
    return made
