"""The commands ``report``, ``compare`` and ``models``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import Json, emit, say, show


def report(
    results: Annotated[
        list[Path],
        typer.Argument(help="Files that evaluate or certify wrote, OUT.json; one or several."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The page to write.")] = Path(
        "report.html"
    ),
    title: Annotated[str, typer.Option(help="The page's heading.")] = "",
    strips: Annotated[
        Path | None, typer.Option(help="The folder that evaluate --strips wrote to.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many strips are put into the page.")] = 12,
    overwrite: Annotated[bool, typer.Option(help="Replace the page if it is there.")] = False,
) -> None:
    """Write results as one HTML page that asks for nothing from elsewhere.

    Warnings and a summary first, then charts, a table that can be sorted, strips, settings.

    Example:  robust-restoration report results/nt.json results/hat.json -o report.html
    """
    from robust_restoration.errors import InputError

    if out.exists() and not overwrite:
        raise InputError(f"{out} is there already; give another -o, or --overwrite.")
    from .certificates import read_result
    from .write import write_report

    found = [read_result(path) for path in results]
    write_report(found, out, title=title, strips=strips, limit=limit)
    say(f"Wrote {out}.")


def compare(
    first: Annotated[Path, typer.Argument(help="A file that evaluate wrote, OUT.json.")],
    second: Annotated[Path, typer.Argument(help="Another, of the same images.")],
    subject: Annotated[
        list[str] | None,
        typer.Option(
            help="FIRST=SECOND, subjects to compare that are not called the same (write :: for = "
            "where a name has one); may be given several times."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two results image by image: what the second has more than the first.

    Both must be of the same images, with the same noise and seed. The intervals, of 95 %, are of
    the differences, and far narrower than those of the two figures.

    Example:  robust-restoration compare results/nt.json results/hat.json
    """
    from robust_restoration.evaluation import Result

    from .compare import compare_results, comparison_table

    pairs = [_pair(word) for word in subject or ()]
    found, left_out = compare_results(Result.from_json(first), Result.from_json(second), pairs)
    for sentence in left_out:
        say(sentence)
    if as_json:
        emit([row._asdict() for row in found])
    else:
        show(comparison_table(found, first.name, second.name))


def _pair(word: str) -> tuple[str, str]:
    from robust_restoration.errors import InputError

    parts = word.split("::") if "::" in word else word.split("=")
    if len(parts) != 2:
        raise InputError(f"--subject is {word!r}; expected FIRST=SECOND, or FIRST::SECOND.")
    return parts[0], parts[1]


def models(
    pattern: Annotated[
        str, typer.Argument(help="A glob pattern of names, such as '*=general*'.")
    ] = "*",
    as_json: Json = False,
) -> None:
    """List the weights that are here, with figures from their model cards.

    Figures are as their cards tell them, each with its images; where a card has none, none stand.

    Example:  robust-restoration models "*" --json
    """
    from dataclasses import asdict

    from .models import known_models, models_table

    found = known_models(pattern)
    if as_json:
        emit([asdict(model) for model in found])
    else:
        show(models_table(found))
