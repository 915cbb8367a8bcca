"""The command ``list``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from robust_restoration.cli.app import Json, emit, say, show
from robust_restoration.cli.info import about, shortened
from robust_restoration.cli.options import names as names_of
from robust_restoration.errors import InputError


def _kinds(incomplete: str) -> list[str]:
    from robust_restoration.plugins.hooks import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def _of_kind(ctx: typer.Context, incomplete: str) -> list[str]:
    kind = ctx.params.get("kind")
    return names_of(kind)(incomplete) if kind in _kinds("") else []


def list_entries(
    kind: Annotated[
        str,
        typer.Argument(
            autocompletion=_kinds, help="attacks, defenses, denoisers, purifiers, ..."
        ),
    ],
    pattern: Annotated[
        str,
        typer.Argument(
            autocompletion=_of_kind, help="A glob pattern, or a name to see its options."
        ),
    ] = "*",
    as_json: Json = False,
) -> None:
    """List what the plugins offer of a kind, with a line on each; of one alone, all its options.

    Example:  robust-restoration list attacks "torchattacks/*"

    Example:  robust-restoration list purifiers NAME
    """
    from robust_restoration.errors import did_you_mean
    from robust_restoration.plugins.hooks import KINDS
    from robust_restoration.plugins.registry import registry

    if kind not in KINDS:
        raise InputError(f"There is no kind {kind!r}. {did_you_mean(kind, list(KINDS))}")
    known = registry()
    names = known.list(kind, pattern)
    is_name = not set(pattern) & set("*?[")
    if is_name and not names:  # its last part, as in torchattacks/NAME, or a part of it
        every = known.list(kind)
        names = [n for n in every if n.rpartition("/")[2] == pattern]
        names = names or [n for n in every if pattern in n]
        if not names:
            known.find(kind, pattern)  # says what is near
            names = [pattern]  # a member of a family
    if is_name and len(names) == 1:
        _show_one(kind, names[0], as_json)
        return
    rows = [(name, known.find(kind, name)[0].entry, _tags(kind, name)) for name in names]
    if as_json:
        emit([about(n, e) | ({"weights": t} if t else {}) for n, e, t in rows])
        return
    if not rows:
        say(f"There are no {kind} by that name." if pattern != "*" else f"No plugin lists {kind}.")
        if kind == "weights":
            say("Those that lie beside networks are listed by: robust-restoration models.")
    _columns([(n, e.summary, e.paper, shortened(t)) for n, e, t in rows])


def _tags(kind: str, name: str) -> list[str]:
    """The tags of the weights there are for an entry."""
    from robust_restoration.models.shipped import known_weights

    return sorted(known_weights(kind, name)) if kind in ("denoisers", "purifiers") else []


def _show_one(kind: str, name: str, as_json: bool) -> None:
    """An entry with its options and their defaults, which are read from what it points to."""
    import inspect

    from robust_restoration.plugins.registry import registry
    from robust_restoration.plugins.targets import load_target, parameters_of

    entry = registry().find(kind, name)[0].entry
    target = load_target(entry) if kind != "weights" else None
    parameters = parameters_of(target) if callable(target) else {}
    documented = inspect.isclass(target) or inspect.isroutine(target)
    text = inspect.getdoc(target) or "" if documented else ""
    options = {
        option: _default(p.default) for option, p in parameters.items() if option != "model"
    }
    tags = _tags(kind, name)
    if as_json:
        emit(about(name, entry) | {"options": options, "weights": tags, "about": text})
        return
    show(f"{name}: {entry.summary}" + (f" ({entry.paper})" if entry.paper else ""))
    if options:
        _columns([(f"  {option}", value) for option, value in options.items()])
    if tags:
        show(f"Weights: {', '.join(tags)}")
    if text:
        sys.stdout.write("\n" + text + "\n")


def _default(value: Any) -> str:
    """A default for people: eps and the like as fractions of 255, as papers write them."""
    import inspect

    if value is inspect.Parameter.empty:
        return "required"
    if isinstance(value, float) and 0 < value < 1 and abs(value * 255 - round(value * 255)) < 1e-9:
        return f"{round(value * 255)}/255"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _columns(rows: Iterable[tuple[str, ...]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    show(table)
