"""Built-in plugin: the demonstration."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def commands() -> list[Entry]:
    """The command ``demo``."""
    return [Entry("demo", "robust_restoration_demo.command:demo", "what it can do, offline")]
