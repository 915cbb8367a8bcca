"""Built-in plugin: what papers do with attacks, to be imported and called."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def commands() -> list[Entry]:
    """None yet."""
    return []
