"""Built-in plugin: named data sets and the file formats they are published in."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def datasets() -> list[Entry]:
    """The named sets, each under all its names, and files of labelled images."""
    from .table import NAMED

    at = "robust_restoration_datasets"
    table = "a folder with labels.csv, of the columns file and label"
    arrays = "an .npz file with x (N, H, W[, C]) uint8 and y (N,)"
    files = [  # a folder's own table of labels comes before all else that it may hold
        Entry("csv:", f"{at}.label_table:CSV", table),
        Entry("npz:", f"{at}.npz:NPZ", arrays),
    ]
    return files + [
        Entry(name, f"{at}.table:{named.name}", named.summary)
        for named in NAMED
        for name in named.names
    ]


@hookimpl
def commands() -> list[Entry]:
    """The command ``datasets``."""
    target = "robust_restoration_datasets.command:datasets"
    return [Entry("datasets", target, "what data sets are there, and where to get the others")]
