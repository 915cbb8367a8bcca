"""Tables of a result: by strength where something is classified, else by condition."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .intervals import Interval, of_mean
from .result import APART, UNATTACKED, Condition

if TYPE_CHECKING:
    from .result import Result

HEADS = {"psnr": "PSNR in dB", "ssim": "SSIM", "mae": "MAE", "accuracy": "accuracy in %"}
DIGITS = {"psnr": 2, "accuracy": 1}
Row = tuple[bool, list[str]]  # whether it is a control's, and its words


@dataclass
class Table:
    """Words in rows; controls' rows are set off."""

    title: str
    heads: list[str]
    rows: list[Row]

    def markdown(self) -> str:
        """It as Markdown; a dot before controls."""
        lines = [self.heads, ["---", *["---:"] * (len(self.heads) - 1)]]
        lines += [[f"· {w.strip()}" if w[:2] == "  " else w for w in row] for _, row in self.rows]
        text = [f"| {' | '.join(line)} |" for line in lines]
        text[1] = text[1].replace(" ", "")
        return "\n".join(text)

    def latex(self) -> str:
        """It as LaTeX, with the title as a comment; controls are indented."""
        lines = [
            " & ".join(("\\quad " if w[:2] == "  " else "") + _latex(w.strip()) for w in row)
            for row in (self.heads, *(row for _, row in self.rows))
        ]
        first, *others = [line + r" \\" for line in lines]
        columns = "l" * self.words + "r" * (len(self.heads) - self.words)
        about, begin = f"% {' '.join(self.title.split())}", rf"\begin{{tabular}}{{{columns}}}"
        return "\n".join([
            about, begin, r"\toprule", first, r"\midrule", *others, r"\bottomrule",
            r"\end{tabular}",
        ])

    @property
    def words(self) -> int:
        """How many columns hold words; the others hold numbers."""
        return 2 if self.heads[0] == "subject" else 1

    def __rich__(self) -> Any:
        """It for rich; controls are dim."""
        from rich.table import Table as RichTable

        made = RichTable(title=self.title, title_justify="left")
        for number, head in enumerate(self.heads):
            made.add_column(head, justify="left" if number < self.words else "right")
        for faint, row in self.rows:
            made.add_row(*row, style="dim" if faint else None)
        return made


def _latex(words: str) -> str:
    """Words as LaTeX prints them."""
    replaced = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    replaced |= {letter: f"\\{letter}" for letter in "&%$#_{}"}
    replaced |= {"±": r"$\pm$", "·": r"$\cdot$", "<": "$<$", ">": "$>$"}
    return "".join(replaced.get(letter, letter) for letter in words)


def tables(result: Result, metric: str | None = None) -> list[Table]:
    """The tables that show a result: by the ``metric`` where it is by strength."""
    if "accuracy" not in result.metrics:
        return [_by_condition(result, data) for data in result.data]
    return [
        _by_strength(result, data, threat, metric or "accuracy")
        for data in result.data
        for threat in (result.threats or [UNATTACKED])
    ]


def level(eps: float) -> str:
    """A budget as people write it: ``8/255``, or ``0.03``; infinity is none."""
    if math.isinf(eps):
        return "no budget"
    parts = eps * 255
    return f"{round(parts)}/255" if eps and abs(parts - round(parts)) < 1e-6 else f"{eps:g}"


def title(result: Result, data: str) -> str:
    """What was evaluated on what."""
    settings = result.settings
    who = settings.get("classifier") or settings.get("denoiser") or ", ".join(result.subjects)
    noise = f", {settings['noise']}" if "noise" in settings else ""
    return f"{who} on {data} ({len(result.images(data))} images){noise}"


def with_interval(found: Interval, scale: float, digits: int, sign: str = "") -> str:
    """A mean with its interval of 95 %: half its width, or its ends where they lie unevenly.

    Without one where it has no width, as that of a single image.
    """
    mean, low, high = (scale * value for value in found)
    if high == low:
        return f"{mean:{sign}.{digits}f}"
    if abs((low + high) / 2 - mean) * 10 <= high - low:
        return f"{mean:{sign}.{digits}f} ±{(high - low) / 2:.{digits}f}"
    return f"{mean:{sign}.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def label(key: Condition, result: Result) -> str:
    """A condition's name: threat, and budget and subject where there are several."""
    several = not key.control and len(result.strengths(key.threat)) > 1
    return f"{key.control or key.threat}{' ' + level(key.eps) if several else ''}"


def _by_condition(result: Result, data: str) -> Table:
    metrics = [m for m in result.metrics if m not in APART]
    first, several = metrics[0], len(result.subjects) > 1
    digits = [DIGITS.get(metric, 4) for metric in metrics]
    change = f"{HEADS.get(first, first).split(' in ')[0]} change"
    heads = ["condition", *(HEADS.get(m, m) for m in metrics), change, "size x255"]

    def rows() -> Iterator[Row]:
        for key, cell in result.cells().items():
            if key.data != data:
                continue
            means = {m: statistics.fmean(values.values()) for m, values in cell.items()}
            row = [("  " if key.control else "") + label(key, result)]
            row += [
                "" if m not in means else f"{means[m]:.{n}f}" if m != first else
                with_interval(of_mean(list(cell[m].values()), m), 1, n)
                for m, n in zip(metrics, digits, strict=True)
            ]
            last = ["", ""]
            if key.threat != UNATTACKED:
                which = {"subject": key.subject, "data": key.data}
                change = result.difference(key._asdict(), {"threat": UNATTACKED, **which}, first)
                size = f"{255 * means['size']:.2f}"
                last = [with_interval(change, 1, digits[0], "+"), size]
            yield bool(key.control), [*([key.subject] if several else []), *row, *last]

    return Table(title(result, data), ["subject", *heads] if several else heads, list(rows()))


def _by_strength(result: Result, data: str, threat: str, metric: str) -> Table:
    strengths = result.strengths(threat) if threat != UNATTACKED else []
    scale, digits = (100, 1) if metric == "accuracy" else (1, DIGITS.get(metric, 4))
    cells = {key: cell[metric] for key, cell in result.cells().items() if metric in cell}

    def rows() -> Iterator[Row]:
        for subject in result.subjects:
            plain = cells.get(Condition(subject, data, UNATTACKED, 0.0, ""), {})
            for control in ("", *result.controls(threat)):
                found = [{} if control else plain] + [
                    cells.get(Condition(subject, data, threat, eps, control), {})
                    for eps in strengths
                ]
                words = [
                    with_interval(of_mean(list(values.values()), metric), scale, digits)
                    if values else ""
                    for values in found
                ]
                if any(words):
                    yield bool(control), [f"  {control}" if control else subject, *words]

    counts = [len(v) for k, v in cells.items() if k.data == data and k.threat == threat]
    about = f", {result.settings['classifier']}" if result.settings.get("classifier") else ""
    heading = f"{HEADS.get(metric, metric)}, {threat}, {max(counts, default=0)} images of {data}"
    return Table(heading + about, [threat, "0", *map(level, strengths)], list(rows()))
