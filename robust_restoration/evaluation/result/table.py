"""A table, for people and as Markdown, and how its words and numbers are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .intervals import Interval

HEADS = {"psnr": "PSNR in dB", "ssim": "SSIM", "mae": "MAE", "accuracy": "accuracy in %"}
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


def level(eps: float) -> str:
    """A budget as people write it: ``8/255``, or ``0.03``, or ``1``; infinity is none."""
    if math.isinf(eps):
        return "no budget"
    parts = eps * 255
    whole = 0 < eps < 1 and abs(parts - round(parts)) < 1e-6
    return f"{round(parts)}/255" if whole else f"{eps:g}"


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
