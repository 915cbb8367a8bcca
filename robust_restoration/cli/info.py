"""Commands that work whatever plugins do: ``plugins`` and ``env``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .app import Json, app, emit, show

if TYPE_CHECKING:
    from robust_restoration.plugins.hooks import Entry


@app.command(epilog="Example:  robust-restoration plugins --json")
def plugins(as_json: Json = False) -> None:
    """List plugins: version, status, what each offers, and why one is not used."""
    from robust_restoration.plugins.discovery import discover

    found = discover()
    if as_json:
        facts = ("name", "distribution", "version", "status", "reason")
        emit(
            [
                {fact: getattr(p, fact) for fact in facts}
                | {"reason": p.reason or _not_there(p.entries)}
                | {"offers": {k: [about(e.name, e) for e in es] for k, es in p.entries.items()}}
                for p in found
            ]
        )
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("plugin", "distribution", "status", "offers")
    for p in found:
        offers = "\n".join(
            f"{kind}: {shortened([e.name for e in entries])}" for kind, entries in p.entries.items()
        )
        color = {"active": "green", "disabled": "yellow"}.get(p.status, "red")
        status = f"[{color}]{p.status}[/{color}]"
        why = p.reason if not offers else _not_there(p.entries)
        words = p.name, f"{p.distribution} {p.version}", "\n".join(filter(None, (offers, why)))
        name, origin, says = map(escape, words)
        table.add_row(name, origin, status, says)
    show(table)


def _not_there(entries: dict[str, list[Entry]]) -> str:
    """Which entries lead nowhere, and why: what does not import cannot be created."""
    from robust_restoration.plugins.targets import what_is_missing

    found = ((e, what_is_missing(e.target)) for own in entries.values() for e in own)
    return "; ".join(f"{e.name!r} leads nowhere: {missing}" for e, missing in found if missing)


def about(name: str, entry: Entry) -> dict[str, Any]:
    """An entry for machines."""
    return {"name": name, "summary": entry.summary, "paper": entry.paper}


def shortened(names: list[str]) -> str:
    """The first names, and how many more there are."""
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
