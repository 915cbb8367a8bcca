"""Charts as inline SVG.

A page of a megabyte of plotting code (Plotly has 4 MB, Vega 0.8) for lines and dots would be the
larger part of it, and would ask for scripts that evaluate text; these are drawn here, readable
without any script, printed sharp, coloured by the page's own light and dark, and made as a tree so
that names are escaped by the library that writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from robust_restoration.evaluation.result.table import level

from .certificates import METRIC as CERTIFIED
from .figures import SHARES, UNATTACKED, Figure, Row, head

WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 44
COLORS = 8  # classes s0 to s7 of the page's style
FIRST = 6  # lines shown at first; the others are a tick away


@dataclass
class Chart:
    """A picture with its words."""

    title: str
    svg: Markup
    series: list[tuple[int, str, bool]]  # colour, name, whether it is shown at first
    axis: str


def charts(rows: Sequence[Row], metrics: Sequence[str]) -> list[Chart]:
    """The charts of a table: curves where there are strengths, else conditions as dots.

    Args:
        rows: As `figures.rows` gives them.
        metrics: The first is drawn.
    """
    if not metrics:
        return []
    metric = metrics[0]
    table = [r for r in rows if metric in r.figures]
    threats = dict.fromkeys((r.data, r.threat) for r in table if r.threat != UNATTACKED)
    made = []
    flat = []
    for data, threat in threats:
        own = [r for r in table if (r.data, r.threat) == (data, threat)]
        if len({r.eps for r in own}) > 1:
            plain = [r for r in table if (r.data, r.threat) == (data, UNATTACKED)]
            made.append(_curves(f"{threat} on {data}", plain + own, metric))
        else:
            flat.append((data, threat))
    if flat or not threats:
        dots = [
            r for r in table if r.threat == UNATTACKED or (r.data, r.threat) in flat
        ]
        scale = _range([r.figures[metric] for r in dots], metric)
        several = len({r.data for r in dots}) > 1
        for subject, data in dict.fromkeys((r.subject, r.data) for r in dots):
            own = [r for r in dots if (r.subject, r.data) == (subject, data)]
            title = "no purifier" if subject == "none" else subject
            made.append(_dots(f"{title} on {data}" if several else title, own, metric, scale))
    return made


def _curves(title: str, rows: Sequence[Row], metric: str) -> Chart:
    strengths = sorted({0.0, *(r.eps for r in rows)})
    low, high = _range([r.figures[metric] for r in rows], metric)
    svg = _svg(HEIGHT, f"{head(metric)}, {title}")
    places = {e: LEFT + 8 + (WIDTH - LEFT - RIGHT - 16) * n / max(len(strengths) - 1, 1)
              for n, e in enumerate(strengths)}

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    for tick in _ticks(low, high):
        _line(svg, LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid")
        _text(svg, LEFT - 6, y(tick) + 4, f"{tick:g}", "end")
    for eps, x in places.items():
        _text(svg, x, HEIGHT - BOTTOM + 16, level(eps) if eps else "0", "middle")
    _text(svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6,
          "L2 radius" if metric == CERTIFIED else "attack strength eps", "middle")
    names = list(dict.fromkeys((r.subject, "") for r in rows))
    names += list(dict.fromkeys((r.subject, r.control) for r in rows if r.control))
    subjects = [s for s, c in names if not c]
    series = []
    for number, (subject, control) in enumerate(names):
        own = sorted(
            (r for r in rows if r.subject == subject
             and (r.control == control or r.threat == UNATTACKED)),
            key=lambda r: r.eps,
        )
        place = subjects.index(subject)
        who = "no purifier" if subject == "none" else subject
        name = f"{who}, control {control}" if control and len(subjects) > 1 else (
            f"control {control}" if control else who
        )
        shown = number < FIRST
        kind = f"s{place % COLORS}" + (" control" if control else "")
        group = ElementTree.SubElement(
            svg, "g", {"class": f"series {kind}", "data-series": str(number)}
        )
        nudge = (place - (len(subjects) - 1) / 2) * min(3.0, 16 / len(subjects))
        points = [(places[r.eps] + nudge, r) for r in own]
        ElementTree.SubElement(
            group, "polyline",
            {"points": " ".join(f"{x:.1f},{y(r.figures[metric].mean):.1f}" for x, r in points)},
        )
        for x, row in points:
            figure = row.figures[metric]
            _line(group, x, y(figure.low), x, y(figure.high), "whisker")
            _dot(group, x, y(figure.mean), _tip(name, row, metric))
        series.append((place % COLORS, name, shown))
    return Chart(title, _markup(svg), series, head(metric))


def _dots(
    title: str, rows: Sequence[Row], metric: str, scale: tuple[float, float]
) -> Chart:
    low, high = scale
    step, bottom = 34, 26
    height = TOP + step * len(rows) + bottom
    svg = _svg(height, f"{head(metric)}, {title}")

    def x(value: float) -> float:
        return 14 + (WIDTH - 28) * (value - low) / (high - low)

    for tick in _ticks(low, high):
        _line(svg, x(tick), TOP, x(tick), height - bottom, "grid")
        _text(svg, x(tick), height - 8, f"{tick:g}", "middle")
    for number, row in enumerate(rows):
        figure, line = row.figures[metric], TOP + step * number
        kind = "control" if row.control else "plain" if row.threat == UNATTACKED else "attacked"
        group = ElementTree.SubElement(svg, "g", {"class": kind})
        name = f"control: {row.label}" if row.control else row.label
        _text(group, 4, line + 12, name, "start", "name")
        _text(group, WIDTH - 4, line + 12, str(figure), "end", "name")
        _line(group, x(figure.low), line + 22, x(figure.high), line + 22, "whisker thick")
        _dot(group, x(figure.mean), line + 22, _tip(title, row, metric))
    return Chart(title, _markup(svg), [], head(metric))


def _tip(name: str, row: Row, metric: str) -> str:
    figure = row.figures[metric]
    return (
        f"{name}: {head(metric)} {figure} ({figure.between}, 95 %), {row.label}, "
        f"{row.images} images"
    )


def _range(figures: Sequence[Figure], metric: str) -> tuple[float, float]:
    if metric in SHARES:
        return -2.0, 102.0
    low, high = min(f.low for f in figures), max(f.high for f in figures)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    return [float(t) for t in MaxNLocator(5).tick_values(low, high) if low <= t <= high]


def _svg(height: float, label: str) -> ElementTree.Element:
    return ElementTree.Element(
        "svg",
        {"viewBox": f"0 0 {WIDTH} {height:g}", "role": "group", "aria-label": label},
    )


def _line(
    parent: ElementTree.Element, x1: float, y1: float, x2: float, y2: float, kind: str
) -> None:
    places = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    ElementTree.SubElement(
        parent, "line", {**{k: f"{v:.1f}" for k, v in places.items()}, "class": kind}
    )


def _text(
    parent: ElementTree.Element, x: float, y: float, text: str, anchor: str, kind: str = ""
) -> None:
    made = ElementTree.SubElement(
        parent, "text",
        {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": kind},
    )
    made.text = text


def _dot(parent: ElementTree.Element, x: float, y: float, tip: str) -> None:
    made = ElementTree.SubElement(
        parent, "circle",
        {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "4", "tabindex": "0", "data-tip": tip,
         "aria-label": tip},
    )
    ElementTree.SubElement(made, "title").text = tip


def _markup(svg: ElementTree.Element) -> Markup:
    return Markup(ElementTree.tostring(svg, encoding="unicode"))
