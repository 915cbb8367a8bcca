"""Commands that show what is there, and make a new plugin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robust_restoration.errors import InputError

from .app import Json, app, emit, say, show

if TYPE_CHECKING:
    from collections.abc import Iterable


@app.command(epilog="Example:  robust-restoration plugins --json")
def plugins(as_json: Json = False) -> None:
    """List plugins: version, status, what each offers, and why one is not used."""
    from robust_restoration.plugins.registry import discover

    found = discover()
    if as_json:
        emit(
            [
                {
                    "name": p.name,
                    "distribution": p.distribution,
                    "version": p.version,
                    "status": p.status,
                    "reason": p.reason,
                    "offers": {
                        kind: [
                            {"name": e.name, "summary": e.summary, "paper": e.paper}
                            for e in entries
                        ]
                        for kind, entries in p.entries.items()
                    },
                }
                for p in found
            ]
        )
        return
    from rich.table import Table

    table = Table()
    for column in ("plugin", "distribution", "status", "offers"):
        table.add_column(column)
    for p in found:
        offers = "\n".join(
            f"{kind}: {_shorten([e.name for e in entries])}" for kind, entries in p.entries.items()
        )
        color = {"active": "green", "disabled": "yellow"}.get(p.status, "red")
        table.add_row(
            p.name,
            f"{p.distribution} {p.version}",
            f"[{color}]{p.status}[/{color}]",
            offers or p.reason,
        )
    show(table)


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


@app.command(epilog="Example:  robust-restoration env")
def env(as_json: Json = False) -> None:
    """Print versions and machine, to paste into a bug report."""
    from robust_restoration.environment import environment

    found = environment()
    if as_json:
        emit(found)
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name}: {value}\n")


@app.command(name="list", epilog='Example:  robust-restoration list attacks "*pgd*"')
def list_entries(
    kind: Annotated[str, typer.Argument(help="attacks, defenses, denoisers or purifiers.")],
    pattern: Annotated[str, typer.Argument(help="A glob pattern.")] = "*",
    as_json: Json = False,
) -> None:
    """List what the plugins offer of a kind, with a line on each."""
    from robust_restoration.errors import did_you_mean
    from robust_restoration.plugins.hooks import KINDS
    from robust_restoration.plugins.registry import registry

    if kind not in KINDS:
        raise InputError(f"There is no kind {kind!r}. {did_you_mean(kind, list(KINDS))}")
    known = registry()
    rows = [(name, known.find(kind, name)[0].entry) for name in known.list(kind, pattern)]
    if as_json:
        emit([{"name": n, "summary": e.summary, "paper": e.paper} for n, e in rows])
        return
    _columns([(n, e.summary, e.paper) for n, e in rows])


def _columns(rows: Iterable[tuple[str, ...]]) -> None:
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    show(table)


@app.command(name="new-plugin", epilog="Example:  robust-restoration new-plugin sharpen -o .")
def new_plugin(
    name: Annotated[str, typer.Argument(help="The plugin's name: letters, digits, dashes.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where its folder is made.")] = Path("."),
) -> None:
    """Write a small working plugin package to start from."""
    from robust_restoration.plugins.scaffold import write_plugin

    say(f"Wrote {write_plugin(name, out)}.")
