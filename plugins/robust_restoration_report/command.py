"""The command ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import say


def report(
    results: Annotated[
        list[Path], typer.Argument(help="Files that evaluate wrote, OUT.json; one or several.")
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
    from robust_restoration.evaluation import Result

    from .write import write_report

    found = [Result.from_json(path) for path in results]
    write_report(found, out, title=title, strips=strips, limit=limit)
    say(f"Wrote {out}.")
