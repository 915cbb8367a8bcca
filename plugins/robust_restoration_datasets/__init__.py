"""Built-in plugin: named data sets and the file formats they are published in."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def datasets() -> list[Entry]:
    """The named sets, each under all its names."""
    from .table import NAMED

    return [
        Entry(name, f"robust_restoration_datasets.table:{named.name}", named.summary)
        for named in NAMED
        for name in named.names
    ]


@hookimpl
def commands() -> list[Entry]:
    """The command ``datasets``."""
    target = "robust_restoration_datasets.command:datasets"
    return [Entry("datasets", target, "what data sets are there, and where to get the others")]
