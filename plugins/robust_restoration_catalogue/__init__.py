"""Built-in plugin: what all plugins offer, listed."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def commands() -> list[Entry]:
    """The command ``list``."""
    target = "robust_restoration_catalogue.command:list_entries"
    return [Entry("list", target, "attacks, defenses, denoisers, purifiers, ... and their options")]
