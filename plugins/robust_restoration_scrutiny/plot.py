"""Pictures of a result."""

from __future__ import annotations

import statistics

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from robust_restoration.errors import InputError
from robust_restoration.evaluation.result import UNATTACKED, Result
from robust_restoration.evaluation.result.table import HEADS, level

from .captions import label, title

CURVES = 5  # beside what is bare; more lie over each other


def plot(result: Result, *, metric: str) -> Figure:
    """The figure that shows a result: curves, a heat map of transfer, or conditions with dots.

    Args:
        result: The result.
        metric: Of which metric.

    Raises:
        InputError: If the result has no such metric.
    """
    if metric not in result.metrics:
        raise InputError(f"There is no {metric!r}; there is {', '.join(result.metrics)}.")
    through = {threat: result.threat_settings(threat).get("through") for threat in result.threats}
    sources = [threat for threat in result.threats if through[threat] in result.subjects]
    if sources:
        return _transfer(result, metric, sources)
    if "accuracy" in result.metrics or any(len(result.strengths(t)) > 2 for t in result.threats):
        return _curves(result, metric)
    return _conditions(result, metric)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _conditions(result: Result, metric: str) -> Figure:
    """Each condition's mean with its interval, and a small dot an image."""
    cells = [(k, c[metric]) for k, c in result.cells().items() if metric in c]
    figure = _figure(7, 1.2 + 0.36 * len(cells))
    axes = figure.subplots()
    for place, (key, values) in enumerate(cells):
        middle, low, high = result.interval(
            key.threat, metric, subject=key.subject, data=key.data, control=key.control, eps=key.eps
        )
        color = "0.6" if key.control else "C0" if key.threat == UNATTACKED else "C3"
        axes.scatter(list(values.values()), [place] * len(values), s=9, color=color, alpha=0.5)
        axes.plot([low, high], [place, place], color=color, linewidth=3)
        axes.scatter([middle], [place], s=70, color=color, edgecolor="white", zorder=3)
    names = [
        " ".join(
            filter(None, [
                "control:" if key.control else "",
                label(key, result),
                f"({key.subject})" if len(result.subjects) > 1 else "",
                f"({key.data})" if len(result.data) > 1 else "",
            ])
        )
        for key, _ in cells
    ]
    axes.set_yticks(range(len(cells)), names)
    axes.invert_yaxis()
    every = [v for _, values in cells for v in values.values()]
    room = 0.08 * (max(every) - min(every) or 1)
    axes.set_xlim(min(every) - room, max(every) + room)
    axes.set_xlabel(HEADS.get(metric, metric))
    axes.set_title(title(result, ", ".join(result.data)), fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    return figure


def _curves(result: Result, metric: str) -> Figure:
    """A metric against strength, one panel a threat, one curve a subject."""
    threats = result.threats or [UNATTACKED]
    shown = _shown(result, metric)
    figure = _figure(4.6 * len(threats) + 1.6, 4.2)
    panels = figure.subplots(1, len(threats), sharey=True, squeeze=False)[0]
    scale = 100 if metric == "accuracy" else 1
    cells = result.cells()
    many = len(result.data) > 1
    for panel, threat in zip(panels, threats, strict=True):
        strengths = [0.0, *(e for e in result.strengths(threat) if e)]
        for number, subject in enumerate(shown):
            for data in result.data:
                heights = []
                for eps in strengths:
                    values = next(
                        (
                            c[metric] for k, c in cells.items()
                            if (k.subject, k.data, k.eps) == (subject, data, eps)
                            and not k.control and metric in c
                            and k.threat == (threat if eps else UNATTACKED)
                        ),
                        None,
                    )
                    mean = statistics.fmean(values.values()) if values else float("nan")
                    heights.append(scale * mean)
                bare = subject == "none"
                panel.plot(
                    range(len(strengths)),
                    heights,
                    label=("no purifier" if bare else subject) + (f", {data}" if many else ""),
                    color="black" if bare else f"C{number % 10}",
                    linestyle="--" if bare else "-" if number <= 10 else ":",  # colours repeat
                    linewidth=2.4 if bare else 1.4,
                    marker="o",
                    markersize=3.5,
                )
        panel.set_xticks(
            range(len(strengths)), [level(e) for e in strengths], rotation=60, fontsize=8
        )
        panel.set_title(_explained(result, threat) + _fewer(result, threat), fontsize=10)
        panel.set_xlabel("attack strength eps (share of the range [0, 1])", fontsize=9)
        if metric == "accuracy":
            panel.set_ylim(-2, 102)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel(HEADS.get(metric, metric))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    left_out = len(result.subjects) - len(shown)
    note = f"\n{left_out} subjects that keep less are in the table alone" if left_out else ""
    figure.suptitle(title(result, ", ".join(result.data)) + note, fontsize=11)
    return figure


def _shown(result: Result, metric: str) -> list[str]:
    """The subjects whose curves are drawn: what is bare, and of many the `CURVES` best.

    The best are those that keep most in the mean over all attacks.
    """
    others = [subject for subject in result.subjects if subject != "none"]
    if len(others) <= CURVES:
        return result.subjects
    kept: dict[str, list[float]] = {subject: [] for subject in others}
    for key, cell in result.cells().items():
        if key.subject in kept and key.threat != UNATTACKED and not key.control and metric in cell:
            kept[key.subject].append(statistics.fmean(cell[metric].values()))
    lowest = metric == "mae"
    mean = {s: statistics.fmean(v) if v else float("-inf") for s, v in kept.items()}
    best = sorted(others, key=lambda s: mean[s] if lowest else -mean[s])[:CURVES]
    return [subject for subject in result.subjects if subject == "none" or subject in best]


def _fewer(result: Result, threat: str) -> str:
    """How many images a panel is of, where it is not all of them."""
    counts = {
        len(values)
        for key, cell in result.cells().items() if key.threat == threat and not key.control
        for values in cell.values()
    }
    fewest = min(counts, default=0)
    return f"\n{fewest} of {len(result.images())} images" if fewest < len(result.images()) else ""


def _explained(result: Result, threat: str) -> str:
    settings = result.threat_settings(threat)
    if not settings or "accuracy" not in result.metrics:
        return threat
    if settings["through"] == "bare":
        return f"attacker does not know the purifier\n({threat})"
    if settings["through"] == "whole" and settings["differentiates"]:
        return f"attacker knows the purifier\n({threat})"
    whole = settings["through"] == "whole"
    return f"attacker only asks for answers\n({threat})" if whole else threat


def _transfer(result: Result, metric: str, sources: list[str]) -> Figure:
    """Change of a metric by what the attack was made on and what restores."""
    rows = [(t, e, d) for t in sources for e in result.strengths(t) for d in result.data]
    table = [
        [result.dmr(t, metric, subject=s, eps=e, data=d) for s in result.subjects]
        for t, e, d in rows
    ]
    names = [
        " ".join(
            filter(None, [
                t,
                level(e) if len(result.strengths(t)) > 1 else "",
                d if len(result.data) > 1 else "",
            ])
        )
        for t, e, d in rows
    ]
    figure = _figure(3.2 + 1.1 * len(result.subjects), 1.8 + 0.7 * len(rows))
    axes = figure.subplots()
    lowest = min(min(row) for row in table)
    axes.imshow(table, cmap="Reds_r", vmin=min(lowest, -1e-3), vmax=0, aspect="auto")
    axes.set_xticks(range(len(result.subjects)), result.subjects, rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), names)
    axes.set_xlabel("restored by" if "accuracy" not in result.metrics else "classified by")
    axes.set_ylabel("attack")
    axes.set_title(f"change of {HEADS.get(metric, metric)}", fontsize=10)
    for i, row in enumerate(table):
        for j, value in enumerate(row):
            color = "white" if value < lowest / 2 else "black"
            axes.text(j, i, f"{value:+.2f}", ha="center", va="center", color=color)
    return figure
