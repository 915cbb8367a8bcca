"""The course of a training as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def curves(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Figure:
    """One panel a figure over the steps; figures that are all above 0 on a scale of powers of ten.

    Args:
        rows: What the loop noted: ``step``, and figures by name; not every row has every figure.
        names: Which figures; those of validations, ``val_...``, are drawn with dots.
    """
    figure = Figure(figsize=(7, 2.1 * len(names) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, names, strict=True):
        points = [(row["step"], row[name]) for row in rows if name in row]
        marker = "o" if name.startswith("val_") else None
        panel.plot(*zip(*points, strict=True), marker=marker, markersize=3, linewidth=1.2)
        positive = all(value > 0 for _, value in points)
        if positive and not name.startswith("val_"):
            panel.set_yscale("log")
        panel.set_ylabel(name)
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("step")
    return figure
