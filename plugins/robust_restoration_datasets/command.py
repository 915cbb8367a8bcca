"""The command ``datasets``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robust_restoration.cli.app import Json, emit, say, show
from robust_restoration.data.folders import ROOT_VARIABLE, data_root

if TYPE_CHECKING:
    from .listing import Row

KINDS = {
    "restoration": "clean images",
    "real-noise": "pairs of clean and really noisy images",
    "labelled": "images with classes",
    "folder": "other folders under the data root",
    "plugin": "brought by plugins",
}


def datasets(
    root: Annotated[
        Path | None,
        typer.Option(help="Where data sets lie, instead of $ROBUST_RESTORATION_DATA."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List data sets: what is found, how much of it, its terms, and where to get the others.

    Example:  robust-restoration datasets --root ~/data
    """
    from .listing import list_datasets

    base = data_root(root)
    rows = list_datasets(root)
    if as_json:
        emit({"root": str(base), "datasets": [row.to_dict() for row in rows]})
        return
    show(_table(rows, base))
    for row in rows:
        if row.problem:
            say(f"{row.name}: {row.problem}")
    where = f"Data root: {base}"
    if not base.is_dir():
        where += f" (there is no such folder; set {ROOT_VARIABLE} or give --root)"
    say(f"{where}. Any other folder of images is a data set too: give its path.")


def _table(rows: list[Row], base: Path) -> object:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("on disk", justify="right", no_wrap=True)
    table.add_column("where; [dim]licence or terms[/dim]", overflow="fold")
    kind = ""
    for row in rows:
        if row.kind != kind:  # a heading for each kind, so that the rest fits narrow terminals
            kind = row.kind
            table.add_section()
            table.add_row(f"[bold]{kind}[/bold]", "", "", f"[bold]{KINDS[kind]}[/bold]")
        count = f"{row.found}/{row.expected}" if row.expected else str(row.found or "")
        color = "green" if row.found >= row.expected else "yellow" if row.found else "red"
        where = _under(row.folder, base) if row.folder else row.source
        facts = ", ".join(f for f in ({1: "gray", 3: "colour"}.get(row.channels), row.terms) if f)
        table.add_row(
            escape("\n".join((row.name, *(f"  = {alias}" for alias in row.aliases)))),
            f"[{color}]{count}[/{color}]",
            _bytes(row.size) if row.size else "",
            escape(where) + (f"\n[dim]{escape(facts)}[/dim]" if facts else ""),
        )
    return table


def _under(folder: str, base: Path) -> str:
    path = Path(folder)
    return f"{path.relative_to(base).as_posix()}/" if path.is_relative_to(base) else folder


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
