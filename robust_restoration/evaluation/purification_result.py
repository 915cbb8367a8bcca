"""The table that evaluating purifiers gives: prints, plots, exports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_restoration.errors import DataError
from robust_restoration.files import atomic_path, write_json

if TYPE_CHECKING:
    import pandas

Cell = dict[str, float]


@dataclass
class PurificationResult:
    """Accuracy (0 to 1) by purifier, threat and strength; PSNR and SSIM in gray-box.

    Attributes:
        settings: What it was computed with.
        environment: Versions and machine.
        cells: (purifier, threat, eps) to its figures.
        order: Purifiers in the order of the rows; ``none`` is the bare classifier.
        marks: Hashes of the purifiers' weights.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[str, str, float], Cell] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)

    def put(self, purifier: str, threat: str, eps: float, cell: Cell) -> None:
        """Fill a cell."""
        self.cells[purifier, threat, eps] = cell

    def has(self, purifier: str, threat: str, eps: float) -> bool:
        """Whether a cell is filled."""
        return (purifier, threat, eps) in self.cells

    def forget(self, purifiers: set[str]) -> None:
        """Drop the rows of some purifiers."""
        self.cells = {key: cell for key, cell in self.cells.items() if key[0] not in purifiers}

    def accuracy(self, purifier: str, threat: str, eps: float) -> float:
        """One accuracy, 0 to 1.

        Raises:
            KeyError: If it was not computed.
        """
        return self.cells[purifier, threat, eps]["accuracy"]

    def threats(self) -> list[str]:
        """The threats there are figures for, gray-box first."""
        return [
            t for t in ("gray-box", "white-box", "square") if any(t == k[1] for k in self.cells)
        ]

    def strengths(self, threat: str) -> list[float]:
        """The strengths there are figures for, ascending."""
        return sorted({eps for _, t, eps in self.cells if t == threat})

    def warnings(self) -> list[str]:
        """What a careful reader would remark."""
        found = []
        for name in self.order:
            if name == "none":
                continue
            for eps in self.strengths("square"):
                pair = [self.cells.get((name, t, eps)) for t in ("white-box", "square")]
                if pair[0] and pair[1] and pair[1]["accuracy"] < pair[0]["accuracy"] - 0.05:
                    found.append(
                        f"{name}: at eps {eps:g} Square, which uses no gradients, leaves "
                        f"{pair[1]['accuracy']:.0%} and the white-box attack "
                        f"{pair[0]['accuracy']:.0%}: its gradients are masked, and the white-box "
                        "figure is too high."
                    )
                    break
            both = [
                (self.cells[name, "gray-box", e], self.cells[name, "white-box", e], e)
                for e in self.strengths("white-box")
                if e > 0 and self.has(name, "gray-box", e) and self.has(name, "white-box", e)
            ]
            gap = max(both, key=lambda b: b[0]["accuracy"] - b[1]["accuracy"], default=None)
            if gap and gap[0]["accuracy"] - gap[1]["accuracy"] > 0.2:
                found.append(
                    f"{name}: at eps {gap[2]:g} it keeps {gap[0]['accuracy']:.0%} against an "
                    f"attacker who does not know of it, and {gap[1]['accuracy']:.0%} against one "
                    "who does."
                )
        return found

    # -- export -----------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "settings": self.settings,
            "environment": self.environment,
            "order": self.order,
            "marks": self.marks,
            "cells": [
                {"purifier": p, "threat": t, "eps": e, **cell}
                for (p, t, e), cell in self.cells.items()
            ],
            "warnings": self.warnings(),
        }

    def to_json(self, path: Path | str) -> None:
        """Write all of it as JSON, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def from_json(cls, path: Path | str) -> PurificationResult:
        """Read what `to_json` wrote.

        Raises:
            DataError: If the file is damaged.
        """
        try:
            raw = json.loads(Path(path).read_text(encoding="utf-8"))
            cells = {}
            for row in raw["cells"]:
                key = (row.pop("purifier"), row.pop("threat"), float(row.pop("eps")))
                cells[key] = row
            return cls(raw["settings"], raw["environment"], cells, raw["order"], raw["marks"])
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DataError(f"{path} is no result of an evaluation ({error!r}).") from error

    def to_frame(self) -> pandas.DataFrame:
        """One row a cell; needs pandas."""
        import pandas

        return pandas.DataFrame(self.to_dict()["cells"])

    def to_markdown(self, metric: str = "accuracy") -> str:
        """One table a threat, strengths across; accuracies in per cent."""
        blocks = []
        for threat in self.threats():
            strengths = self.strengths(threat)
            lines = [
                f"| {threat} | " + " | ".join(f"{e:g}" for e in strengths) + " |",
                "|---|" + "---:|" * len(strengths),
            ]
            for name, values in self._rows(threat, metric):
                lines.append(f"| {name} | " + " | ".join(values) + " |")
            if len(lines) > 2:
                blocks.append("\n".join(lines))
        return "\n\n".join(blocks)

    def _rows(self, threat: str, metric: str) -> list[tuple[str, list[str]]]:
        rows = []
        for name in self.order:
            cells = [self.cells.get((name, threat, e)) for e in self.strengths(threat)]
            if any(c is not None and metric in c for c in cells):
                scale = 100 if metric == "accuracy" else 1
                digits = 3 if metric == "ssim" else 1
                values = [
                    f"{scale * c[metric]:.{digits}f}" if c and metric in c else "" for c in cells
                ]
                rows.append((name, values))
        return rows

    def __rich__(self) -> Any:
        """The tables, for rich."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        parts: list[Any] = []
        for threat in self.threats():
            count = next(int(c["images"]) for k, c in self.cells.items() if k[1] == threat)
            table = Table(
                title=f"accuracy in %, {threat}, {count} images", title_justify="left"
            )
            table.add_column("purifier")
            for eps in self.strengths(threat):
                table.add_column(f"{eps:g}", justify="right")
            for name, values in self._rows(threat, "accuracy"):
                table.add_row(name, *values)
            parts.append(table)
        parts += [Text(f"! {w}", style="yellow") for w in self.warnings()]
        return Group(*parts)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=160)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    def plot(self, path: Path | str) -> None:
        """Plot accuracy against strength, one panel a threat.

        Args:
            path: PNG, PDF or SVG file to write.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        threats = self.threats()
        figure = Figure(figsize=(4.6 * len(threats) + 1.6, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(threats), sharey=True, squeeze=False)[0]
        names = {
            "gray-box": "attacker does not know the purifier\n(gray-box)",
            "white-box": "attacker knows the purifier\n(white-box)",
            "square": "attacker only asks for answers\n(Square)",
        }
        for panel, threat in zip(panels, threats, strict=True):
            strengths = self.strengths(threat)
            ticks = range(len(strengths))
            for number, name in enumerate(self.order):
                cells = [self.cells.get((name, threat, e)) for e in strengths]
                heights = [100 * c["accuracy"] if c else float("nan") for c in cells]
                bare = name == "none"
                panel.plot(
                    ticks,
                    heights,
                    label="no purifier" if bare else name,
                    color="black" if bare else f"C{(number - 1) % 10}",
                    linestyle="--" if bare else "-" if number <= 10 else ":",  # colours repeat
                    linewidth=2.4 if name == "advfilter" else 1.4,
                    marker="o",
                    markersize=3.5,
                )
            panel.set_xticks(ticks, [f"{e:g}" for e in strengths], rotation=60, fontsize=8)
            panel.set_title(names[threat], fontsize=10)
            panel.set_xlabel("attack strength eps (share of the range [0, 1])", fontsize=9)
            panel.set_ylim(-2, 102)
            panel.grid(alpha=0.3)
        panels[0].set_ylabel("accuracy in %")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
        count = self.settings.get("images", "")
        figure.suptitle(
            f"{self.settings.get('classifier', '')} on {self.settings.get('data', '')} "
            f"({count} images)",
            fontsize=11,
        )
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130)
