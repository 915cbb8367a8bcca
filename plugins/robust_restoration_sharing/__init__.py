"""Built-in plugin: a run's weights as one file with their model card, and on the hub."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def commands() -> list[Entry]:
    """The commands ``weights pack`` and ``weights push``."""
    target = "robust_restoration_sharing.command:weights"
    return [Entry("weights", target, "pack a run's weights with their model card, and share them")]
