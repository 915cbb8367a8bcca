"""Tables of a result: by strength where something is classified, else by condition."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from robust_restoration.evaluation.result import UNATTACKED, Condition, Result
from robust_restoration.evaluation.result.intervals import of_mean
from robust_restoration.evaluation.result.result import APART
from robust_restoration.evaluation.result.table import HEADS, Row, Table, level, with_interval

from .captions import label, title

DIGITS = {"psnr": 2, "accuracy": 1}


def tables(result: Result, metric: str | None = None) -> list[Table]:
    """The tables that show a result: by the ``metric`` where it is by strength."""
    if "accuracy" not in result.metrics:
        return [_by_condition(result, data) for data in result.data]
    return [
        _by_strength(result, data, threat, metric or "accuracy")
        for data in result.data
        for threat in (result.threats or [UNATTACKED])
    ]


def _by_condition(result: Result, data: str) -> Table:
    metrics = [m for m in result.metrics if m not in APART]
    first, several = metrics[0], len(result.subjects) > 1
    digits = [DIGITS.get(metric, 4) for metric in metrics]
    change = f"{HEADS.get(first, first).split(' in ')[0]} change"
    heads = ["condition", *(HEADS.get(m, m) for m in metrics), change, "size x255"]

    def rows() -> Iterator[Row]:
        for key, cell in result.cells().items():
            if key.data != data:
                continue
            means = {m: statistics.fmean(values.values()) for m, values in cell.items()}
            row = [("  " if key.control else "") + label(key, result)]
            row += [
                "" if m not in means else f"{means[m]:.{n}f}" if m != first else
                with_interval(of_mean(list(cell[m].values()), m), 1, n)
                for m, n in zip(metrics, digits, strict=True)
            ]
            last = ["", ""]
            if key.threat != UNATTACKED:
                which = {"subject": key.subject, "data": key.data}
                change = result.difference(key._asdict(), {"threat": UNATTACKED, **which}, first)
                size = f"{255 * means['size']:.2f}"
                last = [with_interval(change, 1, digits[0], "+"), size]
            yield bool(key.control), [*([key.subject] if several else []), *row, *last]

    return Table(title(result, data), ["subject", *heads] if several else heads, list(rows()))


def _by_strength(result: Result, data: str, threat: str, metric: str) -> Table:
    strengths = result.strengths(threat) if threat != UNATTACKED else []
    scale, digits = (100, 1) if metric == "accuracy" else (1, DIGITS.get(metric, 4))
    cells = {key: cell[metric] for key, cell in result.cells().items() if metric in cell}

    def rows() -> Iterator[Row]:
        for subject in result.subjects:
            plain = cells.get(Condition(subject, data, UNATTACKED, 0.0, ""), {})
            for control in ("", *result.controls(threat)):
                found = [
                    cells.get(Condition(subject, data, threat, eps, control), {})
                    for eps in strengths
                ]
                # The heading says how many images were attacked: the first column is of these too.
                attacked = {image for values in found for image in values} or plain.keys()
                before = {} if control else {i: v for i, v in plain.items() if i in attacked}
                found = [before, *found]
                words = [
                    with_interval(of_mean(list(values.values()), metric), scale, digits)
                    if values else ""
                    for values in found
                ]
                if any(words):
                    yield bool(control), [f"  {control}" if control else subject, *words]

    counts = [len(v) for k, v in cells.items() if k.data == data and k.threat == threat]
    about = f", {result.settings['classifier']}" if result.settings.get("classifier") else ""
    heading = f"{HEADS.get(metric, metric)}, {threat}, {max(counts, default=0)} images of {data}"
    return Table(heading + about, [threat, "0", *map(level, strengths)], list(rows()))
