"""The picture of an explanation.

Rows: the image, what became of it, and the difference; maps, such as those of AdvFilter's figure 2;
the kernels of some pixels, as in its figure 4; what the classifier says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .explanation import Explanation

COLUMNS = 3
PANEL = 3.2  # inches
COLOURS = ("tab:red", "tab:orange", "tab:green", "tab:blue", "tab:purple", "tab:brown")


def factor(change: Tensor) -> float:
    """What a difference is multiplied with to be seen: a power of two, such that little is cut.

    Its 99.5th percentile then lies between a quarter and a half of the range, from mid-gray on.
    """
    values = change.abs().flatten().double().numpy()
    large = float(np.quantile(values, 0.995)) if values.size else 0.0
    large = large or float(values.max(initial=0.0))
    return 1.0 if large == 0 else float(2.0 ** np.clip(np.floor(np.log2(0.5 / large)), 0, 12))


def draw(explanation: Explanation) -> Figure:
    """The picture; a figure of matplotlib that no window knows of."""
    from matplotlib.figure import Figure

    maps, kernels = list(explanation.maps.items()), list(explanation.kernels.items())
    heights = [1.0] + [0.95] * -(-len(maps) // COLUMNS)
    if explanation.pixels:
        heights.append(0.38 * len(kernels) + 0.15)
    if explanation.before:
        heights.append(0.07 * len(explanation.before) + 0.12)
    figure = Figure(
        figsize=(COLUMNS * PANEL, PANEL * sum(heights)), dpi=110, layout="constrained"
    )
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    rows = iter(range(len(heights)))
    _images(figure, grid[next(rows)], explanation)
    for start in range(0, len(maps), COLUMNS):
        _maps(figure, grid[next(rows)], maps[start : start + COLUMNS])
    if explanation.pixels:
        _kernels(figure, grid[next(rows)], kernels, explanation.pixels)
    if explanation.before:
        _classes(figure, grid[next(rows)], explanation)
    return figure


def _images(figure: Figure, cell: Any, explanation: Explanation) -> None:
    larger = factor(explanation.change)
    panels = [
        ("input", explanation.image),
        (f"purified ({explanation.name})", explanation.purified),
        (f"difference × {larger:g}, gray is none", 0.5 + larger * explanation.change),
    ]
    for panel, (title, image) in zip(
        cell.subgridspec(1, COLUMNS).subplots(), panels, strict=True
    ):
        _show(panel, image)
        panel.set_title(title, fontsize=9)
    first = figure.axes[-COLUMNS]
    for (row, column), colour in zip(explanation.pixels, _colours(explanation.pixels), strict=True):
        first.plot(column, row, "s", markersize=7, markerfacecolor="none", color=colour)


def _colours(pixels: Any) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(len(pixels))]


def _show(panel: Any, image: Tensor) -> None:
    panel.set_axis_off()
    image = image.clamp(0, 1)
    if len(image) == 3:
        panel.imshow(image.permute(1, 2, 0).numpy(), interpolation="nearest")
    else:  # one channel, or so many that no screen shows them
        panel.imshow(image.mean(0).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _maps(figure: Figure, cell: Any, maps: list[tuple[str, Tensor]]) -> None:
    panels = cell.subgridspec(1, COLUMNS).subplots()
    for panel in panels:
        panel.set_axis_off()
    for panel, (title, values) in zip(panels, maps, strict=False):
        share = "weight" in title
        limits = {"vmin": 0, "vmax": 1} if share else {}
        shown = panel.imshow(values.numpy(), cmap="viridis", interpolation="nearest", **limits)
        panel.set_title(f"{title}, mean {float(values.mean()):.2f}", fontsize=9)
        bar = figure.colorbar(shown, ax=panel, shrink=0.8)
        bar.ax.tick_params(labelsize=6)


def _kernels(
    figure: Figure, cell: Any, kernels: list[tuple[str, Tensor]], pixels: Any
) -> None:
    """A row a filter, a column a pixel; a kernel's mean over the channels."""
    panels = cell.subgridspec(len(kernels), len(pixels)).subplots(squeeze=False)
    largest = max(float(values.mean(1).abs().max()) for _, values in kernels)
    shown: Any = None
    for place, (name, values) in enumerate(kernels):
        for number, panel in enumerate(panels[place]):
            panel.set_xticks([])
            panel.set_yticks([])
            shown = panel.imshow(
                values[number].mean(0).numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest
            )
            for spine in panel.spines.values():
                spine.set_color(_colours(pixels)[number])
                spine.set_linewidth(2)
            if number == 0:
                panel.set_ylabel(f"kernels,\n{name}", fontsize=8)
            if place == 0:
                panel.set_title("row {}, column {}".format(*pixels[number]), fontsize=8)
    bar = figure.colorbar(shown, ax=panels, shrink=0.6)
    bar.ax.tick_params(labelsize=6)


def _classes(figure: Figure, cell: Any, explanation: Explanation) -> None:
    said = (("before", explanation.before), ("after", explanation.after))
    for panel, (when, classes) in zip(cell.subgridspec(1, 2).subplots(), said, strict=True):
        names = [name for name, _ in classes][::-1]
        shares = torch.tensor([share for _, share in classes]).flip(0).numpy()
        panel.barh(range(len(names)), shares, color="tab:blue", height=0.6)
        panel.set_xlim(0, 1.15)
        panel.set_yticks(range(len(names)), names, fontsize=8)
        for at, share in enumerate(shares):
            panel.text(share + 0.01, at, f"{share:.1%}", va="center", fontsize=8)
        panel.set_title(f"the classifier {when}", fontsize=9)
        panel.set_xticks([])
        for side in ("top", "right", "bottom"):
            panel.spines[side].set_visible(False)
