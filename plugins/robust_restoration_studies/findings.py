"""What a study gives back: figures that print, draw themselves, and are kept as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any

from robust_restoration.files import write_figure, write_json


class Findings(ABC):
    """Base of the studies' results; a subclass is a dataclass of plain data.

    Where it has ``pictures``, those are drawn and not kept as data.
    """

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        content: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        content.pop("pictures", None)  # what is only drawn
        return content

    def to_json(self, path: Path | str) -> None:
        """Write all of it as JSON, atomically."""
        write_json(path, self.to_dict())

    @abstractmethod
    def to_markdown(self) -> str:
        """A table of it."""

    def __str__(self) -> str:
        return self.to_markdown()

    @abstractmethod
    def draw(self, figure: Any) -> None:
        """Draw it into an empty matplotlib figure, setting the figure's size."""

    def plot(self, path: Path | str | None = None) -> Any:
        """Draw it.

        Args:
            path: A PNG, PDF or SVG file to write, atomically.

        Returns:
            The matplotlib axes, or an array of several; ``axes.figure`` is the whole.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        self.draw(figure)
        return write_figure(figure, path)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, whose first column holds words and whose others hold numbers."""
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def mean(values: list[float]) -> float:
    """The mean of some numbers."""
    return sum(values) / len(values)
