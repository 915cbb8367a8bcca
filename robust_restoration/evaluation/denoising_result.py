"""The table that evaluating a denoiser gives: prints, plots, exports."""

from __future__ import annotations

import csv
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_restoration.errors import DataError, InputError
from robust_restoration.files import atomic_path, write_json

if TYPE_CHECKING:
    import pandas

NOISY = "noisy"
METRICS = ("psnr", "ssim", "mae")
DIGITS = {"psnr": 2, "ssim": 4, "mae": 4}


@dataclass
class DenoisingResult:
    """Metrics of each restored image, as it came, under each attack, and under each control.

    Attributes:
        settings: What it was computed with.
        environment: Versions and machine.
        conditions: In the order of the rows: ``noisy`` is the noisy image as it came; an attack's
            name; ``attack / control``.
        names: The images' names.
        values: condition, metric and image to the figure; PSNR in dB. ``size`` is the root mean
            square of the change to the noisy image.
        notes: What a careful reader would remark, found while it was computed.
        damaged: Images that could not be read, one sentence each.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def attacks(self) -> list[str]:
        """The attacks among the conditions."""
        return [c for c in self.conditions if c != NOISY and " / " not in c]

    def controls(self, attack: str) -> list[str]:
        """The conditions that are an attack's controls."""
        return [c for c in self.conditions if c.startswith(f"{attack} / ")]

    def mean(self, condition: str, metric: str = "psnr") -> float:
        """A metric's mean over the images.

        Raises:
            InputError: If it was not computed.
        """
        try:
            return statistics.fmean(self.values[condition][metric])
        except KeyError:
            raise InputError(
                f"There is no {metric!r} of {condition!r}; there is {', '.join(METRICS)} of "
                f"{', '.join(self.conditions)}."
            ) from None

    def deviation(self, condition: str, metric: str = "psnr") -> float:
        """A metric's standard deviation over the images."""
        self.mean(condition, metric)
        values = self.values[condition][metric]
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def dmr(self, condition: str, metric: str = "psnr") -> float:
        """The denoising metric robustness: the mean over images of the metric less that on noise.

        Denoising-PGD paper, eq. 4; for PSNR and SSIM, below 0 is worse than on plain noise.
        """
        return self.mean(condition, metric) - self.mean(NOISY, metric)

    def warnings(self) -> list[str]:
        """What a careful reader would remark."""
        found = []
        for attack in self.attacks():
            for name in self.controls(attack):
                if self.mean(name) <= self.mean(attack) + 0.05:
                    found.append(
                        f"{attack} leaves {self.mean(attack):.2f} dB and its control "
                        f"{name.split(' / ')[1]!r} {self.mean(name):.2f}: the drop is not the "
                        "attack's doing."
                    )
        return found + self.notes

    # -- export -----------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "settings": self.settings,
            "environment": self.environment,
            "conditions": self.conditions,
            "names": self.names,
            "values": self.values,
            "notes": self.notes,
            "damaged": self.damaged,
            "means": {c: {m: self.mean(c, m) for m in METRICS} for c in self.conditions},
            "warnings": self.warnings(),
        }

    def to_json(self, path: Path | str | None = None) -> str:
        """All of it as JSON; written to ``path``, atomically, if there is one."""
        if path is not None:
            write_json(path, self.to_dict())
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, path: Path | str) -> DenoisingResult:
        """Read what `to_json` wrote.

        Raises:
            DataError: If the file is damaged.
        """
        try:
            raw = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(
                raw["settings"],
                raw["environment"],
                raw["conditions"],
                raw["names"],
                raw["values"],
                raw["notes"],
                raw["damaged"],
            )
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DataError(f"{path} is no result of an evaluation ({error!r}).") from error

    def rows(self) -> list[dict[str, Any]]:
        """One row an image and condition."""
        return [
            {
                "condition": condition,
                "image": name,
                **{m: column[number] for m, column in self.values[condition].items()},
            }
            for condition in self.conditions
            for number, name in enumerate(self.names)
        ]

    def to_frame(self) -> pandas.DataFrame:
        """One row an image and condition; needs pandas."""
        import pandas

        return pandas.DataFrame(self.rows())

    def to_csv(self, path: Path | str) -> None:
        """One row an image and condition, written atomically."""
        rows = self.rows()
        with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def _table(self) -> tuple[list[str], list[list[str]]]:
        heads = ["condition", "PSNR in dB", "SSIM", "MAE", "PSNR change", "size x255"]
        body = []
        for c in self.conditions:
            label = f"  {c.split(' / ')[1]}" if " / " in c else c
            figures = [f"{self.mean(c, m):.{DIGITS[m]}f}" for m in METRICS]
            change = "" if c == NOISY else f"{self.dmr(c):+.2f}"
            size = "" if c == NOISY else f"{255 * self.mean(c, 'size'):.2f}"
            body.append([label, *figures, change, size])
        return heads, body

    def to_markdown(self) -> str:
        """A table of means; controls are set off below their attack."""
        heads, body = self._table()
        lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
        for row in body:
            label = f"· {row[0].strip()}" if row[0].startswith(" ") else row[0]
            lines.append(f"| {' | '.join([label, *row[1:]])} |")
        return "\n".join(lines)

    def title(self) -> str:
        """What was evaluated on what."""
        s = self.settings
        return (
            f"{s.get('denoiser')} on {s.get('data')} ({len(self.names)} images), "
            f"{s.get('noise')}"
        )

    def __rich__(self) -> Any:
        """The table, for rich."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        heads, body = self._table()
        table = Table(title=self.title(), title_justify="left")
        for number, head in enumerate(heads):
            table.add_column(head, justify="right" if number else "left")
        for row in body:
            control = row[0].startswith(" ")
            table.add_row(*row, style="dim" if control else None)
        return Group(table, *(Text(f"! {w}", style="yellow") for w in self.warnings()))

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=120)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    def plot(self, path: Path | str, metric: str = "psnr") -> None:
        """Plot each condition's mean, with a dot an image.

        Args:
            path: PNG, PDF or SVG file to write.
            metric: ``psnr``, ``ssim`` or ``mae``.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 1.2 + 0.36 * len(self.conditions)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for place, condition in enumerate(self.conditions):
            values = self.values[condition][metric]
            attack = condition in self.attacks()
            color = "C3" if attack else "C0" if condition == NOISY else "0.6"
            axes.barh(place, self.mean(condition, metric), color=color, alpha=0.5, height=0.7)
            axes.scatter(values, [place] * len(values), s=9, color=color, zorder=3)
        axes.set_yticks(
            range(len(self.conditions)),
            [f"control: {c.split(' / ')[1]}" if " / " in c else c for c in self.conditions],
        )
        axes.invert_yaxis()
        every = [v for c in self.conditions for v in self.values[c][metric]]
        room = 0.08 * (max(every) - min(every) or 1)
        axes.set_xlim(min(every) - room, max(every) + room)
        axes.set_xlabel({"psnr": "PSNR in dB", "ssim": "SSIM", "mae": "MAE"}[metric])
        axes.set_title(self.title(), fontsize=10)
        axes.grid(axis="x", alpha=0.3)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130)
