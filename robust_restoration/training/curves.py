"""The course of a run: loss and validation figures as CSV, as a picture, and for TensorBoard."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from typing import Any

from robust_restoration.files import atomic_path

FILE, PICTURE = "curves.csv", "curves.png"
ROWS = 200  # a run has about so many rows
_WORDS = ("step", "stage")  # of a row, no figures

Row = dict[str, Any]


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
        self._writer: Any = None

    def resume(self, step: int) -> None:
        """Take up the rows that were written, as far as the checkpoint goes."""
        if self.folder is None or not (self.folder / FILE).is_file():
            return
        with (self.folder / FILE).open(newline="") as file:
            for row in csv.DictReader(file):
                if int(row["step"]) <= step:
                    figures = {k: float(v) for k, v in row.items() if v and k not in _WORDS}
                    self.rows.append({"step": int(row["step"]), "stage": row["stage"], **figures})

    def add(self, step: int, stage: str, figures: dict[str, float], validation: Row) -> None:
        """Note a step's figures, and what a validation after it found."""
        self._count += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if step % self.every and not validation:
            return
        means = {name: total / self._count for name, total in self._sums.items()}
        self.rows.append({"step": step, "stage": stage, **means, **validation})
        self._sums, self._count = {}, 0
        self._log(self.rows[-1])

    def _log(self, row: Row) -> None:
        if self.folder is None or importlib.util.find_spec("tensorboard") is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=row["step"])
        for name, value in row.items():
            if name not in _WORDS:
                self._writer.add_scalar(name, value, row["step"])

    def write(self, *, picture: bool) -> None:
        """Write the CSV, atomically, and the picture where it is asked for."""
        if self.folder is None or not self.rows:
            return
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_path(self.folder / FILE) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
        if self._writer is not None:
            self._writer.flush()
        if picture:
            self._draw(names)

    def _draw(self, names: list[str]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        shown = [name for name in names if name not in (*_WORDS, "lr")]
        figure = Figure(figsize=(7, 2.1 * len(shown) + 0.6), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for panel, name in zip(panels, shown, strict=True):
            points = [(row["step"], row[name]) for row in self.rows if name in row]
            marker = "o" if name.startswith("val_") else None
            panel.plot(*zip(*points, strict=True), marker=marker, markersize=3, linewidth=1.2)
            positive = all(value > 0 for _, value in points)
            if positive and not name.startswith("val_"):
                panel.set_yscale("log")
            panel.set_ylabel(name)
            panel.grid(alpha=0.3)
        panels[-1].set_xlabel("step")
        with atomic_path(self.folder / PICTURE) as temporary:  # type: ignore[operator]
            figure.savefig(temporary, dpi=110)
