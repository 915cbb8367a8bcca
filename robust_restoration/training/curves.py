"""The course of a run: loss and validation figures as CSV, as a picture, and for trackers."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any

from robust_restoration import verbs
from robust_restoration.errors import UnknownNameError
from robust_restoration.files import atomic_path

from .run_folder import set_aside

FILE, PICTURE = "curves.csv", "curves.png"
ROWS = 200  # a run has about so many rows
_WORDS = ("step", "stage")  # of a row, not figures

Row = dict[str, Any]


def _row(read: dict[str, str]) -> Row:
    figures = {k: float(v) for k, v in read.items() if v and k not in _WORDS}
    return {"step": int(read["step"]), "stage": read["stage"], **figures}


class Curves:
    """Means of the figures since the last row, about every half per cent of a run.

    Args:
        folder: The run's folder; nothing is written without.
        steps: Steps of the whole run.
    """

    def __init__(self, folder: Path | None, steps: int) -> None:
        self.folder, self.every = folder, max(1, steps // ROWS)
        self.rows: list[Row] = []
        self._sums: dict[str, float] = {}
        self._count = 0

    def begun(self) -> dict[str, Any]:
        """The sums of the row that is not full yet, for `resume`."""
        return {"count": self._count, "sums": self._sums}

    def resume(self, step: int, begun: dict[str, Any]) -> None:
        """Take up the rows that were written, as far as the checkpoint goes.

        Args:
            step: The checkpoint's.
            begun: As `begun` gave it there; older checkpoints have nothing of it.
        """
        self._count, self._sums = begun.get("count", 0), begun.get("sums", {})
        if self.folder is None or not (self.folder / FILE).is_file():
            return
        try:
            with (self.folder / FILE).open(newline="", encoding="utf-8") as file:
                rows = [_row(row) for row in csv.DictReader(file)]
        except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
            set_aside(self.folder / FILE, error)
            return
        self.rows = [row for row in rows if row["step"] <= step]

    def add(self, step: int, stage: str, figures: dict[str, float], validation: Row) -> Row | None:
        """Note a step's figures, and what a validation after it found; a row if one is full."""
        self._count += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if step % self.every and not validation:
            return None
        means = {name: total / self._count for name, total in self._sums.items()}
        self.rows.append({"step": step, "stage": stage, **means, **validation})
        self._sums, self._count = {}, 0
        return self.rows[-1]

    def write(self, *, picture: bool) -> None:
        """Write the CSV, atomically, and on request the picture, where a plugin draws one."""
        if self.folder is None or not self.rows:
            return
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_path(self.folder / FILE) as temporary, temporary.open(
            "w", newline="", encoding="utf-8"
        ) as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
        if picture:
            with suppress(UnknownNameError), atomic_path(self.folder / PICTURE) as temporary:
                figures = [name for name in names if name not in (*_WORDS, "lr")]
                verbs.curves(self.rows, figures).savefig(temporary, dpi=110)
