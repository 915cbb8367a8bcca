"""The usual picture: certified accuracy against the radius."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from robust_restoration.files import write_figure

if TYPE_CHECKING:
    from .certificates import Certificates


def draw(results: Mapping[str, Certificates], path: Path | str | None) -> Any:
    """Draw one step curve a result, each with its band of 95 %.

    Args:
        results: By the name that the legend shows.
        path: A PNG, PDF or SVG file, or ``None`` for none.
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    end = max((found.largest() for found in results.values()), default=0.0) or 1.0
    for name, found in results.items():
        radii, shares = found.curve()
        # Just beyond the last radius nothing is certified: the curve falls to the ground there.
        nothing = found.certified(float("inf"))
        across = [*radii, radii[-1], end * 1.05]
        heights = [*shares, nothing, nothing]
        values = [[100 * getattr(s, part) for s in heights] for part in ("mean", "low", "high")]
        drawn = axes.step(across, values[0], where="pre", label=f"{name} ({len(found)} images)")[0]
        axes.fill_between(
            across, values[1], values[2], step="pre", alpha=0.2, color=drawn.get_color(), lw=0
        )
    axes.set(
        xlabel="L2 radius, images in [0, 1]", ylabel="certified accuracy, %",
        xlim=(0, end * 1.05), ylim=(0, 100),
    )
    axes.grid(alpha=0.3)
    axes.legend()
    return write_figure(figure, path)
