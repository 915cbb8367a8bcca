"""Two results compared image by image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from robust_restoration.errors import InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result import Record
from robust_restoration.evaluation.result.table import level

from .figures import SHARES, UNATTACKED, digits, head, shown_metrics

# What must be the same for an image's two figures to be about the same thing.
SAME = ("data_hash", "noise", "sigma", "within_level", "seed", "classifier_weights")


class Compared(NamedTuple):
    """A condition's two means and the mean of ``second - first`` over the images of both."""

    first_subject: str
    second_subject: str
    data: str
    threat: str
    eps: float
    control: str
    metric: str
    images: int
    first: float
    second: float
    difference: float
    low: float
    high: float


def compare_results(
    first: Result, second: Result, pairs: Sequence[tuple[str, str]] = ()
) -> tuple[list[Compared], list[str]]:
    """What the second result has more than the first, in every condition that both have.

    Args:
        first: One.
        second: Another of the same images, noise and seed.
        pairs: Subjects to compare; by default those of the same name, or the one of each.

    Returns:
        The differences, each with an interval of 95 % (bootstrap over images, paired), and
        sentences on what was left out.

    Raises:
        InputError: If the two are of other images, noise or seed, or have no subject in common.
    """
    for name in SAME:
        values = [r.settings.get(name) for r in (first, second)]
        if values[0] != values[1]:
            raise InputError(
                f"The two results differ in {name} ({values[0]!r} and {values[1]!r}), so that the "
                "same image is not the same in both; evaluate both with the same data, noise and "
                "seed."
            )
    pairs = list(pairs) or _pairs(first, second)
    for number, (result, which) in enumerate(((first, "first"), (second, "second"))):
        for pair in pairs:
            if pair[number] not in result.subjects:
                raise InputError(
                    f"The {which} result has no subject {pair[number]!r}; it has "
                    f"{', '.join(result.subjects)}."
                )
    told = [r.settings.get("threats", {}) for r in (first, second)]
    other = {
        t for t in told[0].keys() & told[1].keys()
        if {**told[0][t], "eps": 0} != {**told[1][t], "eps": 0}
    }
    left_out = [
        f"Left out: the threat {t!r} has other options in the two results." for t in sorted(other)
    ]
    found = []
    for one, two in pairs:
        for key, cell in first.cells().items():
            same = key._replace(subject=two)
            if key.subject != one or key.threat in other or same not in second.cells():
                continue
            for metric in (m for m in shown_metrics(first) if m in cell):
                if metric in second.cells()[same]:
                    row = _compared(key, two, metric, cell[metric], second.cells()[same][metric])
                    found += [row] if row else []
    if not found:
        raise InputError("The two results have no condition in common: no threat and strength.")
    return found, left_out


def _pairs(first: Result, second: Result) -> list[tuple[str, str]]:
    shared = [s for s in first.subjects if s in second.subjects]
    own = [[s for s in r.subjects if s not in shared] for r in (first, second)]
    if own[0] and len(own[0]) == len(own[1]) == 1:
        return [*((s, s) for s in shared), (own[0][0], own[1][0])]
    if shared:
        return [(s, s) for s in shared]
    raise InputError(
        f"No subject is in both: {', '.join(first.subjects)} and {', '.join(second.subjects)}. Say "
        "which to compare: --subject FIRST=SECOND."
    )


def _compared(
    key: Any, other: str, metric: str, one: dict[str, float], two: dict[str, float]
) -> Compared | None:
    shared = [image for image in one if image in two]
    if not shared:
        return None
    both = Result([
        Record(name, key.data, image, UNATTACKED, 0.0, "", metric, values[image])
        for name, values in (("one", one), ("two", two))
        for image in shared
    ])
    change = both.difference("two", "one", metric)
    means = [sum(values[image] for image in shared) / len(shared) for values in (one, two)]
    return Compared(
        key.subject, other, key.data, key.threat, key.eps, key.control, metric, len(shared),
        means[0], means[1], change.mean, change.low, change.high,
    )


def comparison_table(found: Sequence[Compared], first: str, second: str) -> Any:
    """The differences for rich; in bold what lies off 0 with its whole interval."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f"{second} less {first}, image by image"), title_justify="left")
    several = len({(r.first_subject, r.second_subject) for r in found}) > 1
    for name in [*(["subject"] if several else []), "data", "condition", "metric"]:
        table.add_column(name)
    for name in ("images", "first", "second", "difference", "95 %"):
        table.add_column(name, justify="right")
    for row in found:
        scale, places = (100 if row.metric in SHARES else 1), digits(row.metric)
        who = row.first_subject
        if row.second_subject != who:
            who = f"{who} → {row.second_subject}"
        what = f"  {row.control}" if row.control else row.threat
        if row.threat != UNATTACKED:
            what += f" {level(row.eps)}"
        words = [*([who] if several else []), row.data, what, head(row.metric), str(row.images)]
        words += [f"{scale * v:.{places}f}" for v in (row.first, row.second)]
        words += [
            f"{scale * row.difference:+.{places}f}",
            f"{scale * row.low:+.{places}f} to {scale * row.high:+.{places}f}",
        ]
        certain = row.low > 0 or row.high < 0
        style = "dim" if row.control else "bold" if certain else None
        table.add_row(*map(escape, words), style=style)
    return table
