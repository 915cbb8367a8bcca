"""What data sets there are, and what of them lies under the data root. Loads no torch."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .locate import IMAGE_SUFFIXES, data_root, search
from .named import NAMED, NamedSet
from .names import folders_under


@dataclass(frozen=True)
class Row:
    """One data set, or one split of it.

    Attributes:
        name: What `load_images` and `load_labelled` call it.
        aliases: Other names of it.
        kind: ``"restoration"``, ``"real-noise"``, ``"labelled"``, ``"folder"`` for other folders
            under the root, or ``"plugin"``.
        summary: What it is.
        channels: 1 or 3; 0 where that is not known.
        found: How many images (pairs) are there.
        expected: How many it has; 0 where that is not known.
        size: Bytes on disk.
        terms: Its licence or terms of use.
        source: Where it is obtained.
        folder: Where it was found; empty if it was not.
        problem: What is wrong with what lies there; empty if nothing is.
    """

    name: str
    kind: str
    summary: str
    aliases: tuple[str, ...] = ()
    channels: int = 0
    found: int = 0
    expected: int = 0
    size: int = 0
    terms: str = ""
    source: str = ""
    folder: str = ""
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def list_datasets(root: Path | str | None = None) -> list[Row]:
    """All named sets, then other folders under the root, then what plugins offer.

    Args:
        root: Where named data sets lie, as in `load_images`.
    """
    rows = []
    for named in NAMED:
        splits: list[str | None] = [name for name, _ in named.splits]
        rows += [_row(named, split, root) for split in splits or [None]]
    for name in folders_under(root):
        folder = data_root(root) / name
        count, size = _tally(folder)
        if count:
            rows.append(Row(name, "folder", "images", found=count, size=size, folder=str(folder)))
    return rows + _of_plugins()


def _row(named: NamedSet, split: str | None, root: Path | str | None) -> Row:
    common: dict[str, Any] = {
        "name": f"{named.name}:{split}" if split else named.name,
        "kind": named.kind,
        "summary": named.summary,
        "aliases": named.aliases,
        "channels": named.channels,
        "expected": named.expected(split),
        "terms": named.terms,
        "source": named.source,
    }
    found, problems = search(named, root, split)
    if found is None:
        return Row(**common, problem=" ".join(problems))
    listed = found.files[0].suffix == ".csv"
    size = _tally(found.folder)[1] if listed else sum(f.stat().st_size for f in found.files)
    return Row(
        **common,
        found=found.count,
        size=size,
        folder=str(found.folder),
        problem=" ".join(found.unpaired[:3]) if found.count else "Its files cannot be read.",
    )


def _tally(folder: Path) -> tuple[int, int]:
    """How many images a folder holds, to its bottom, and their bytes; quick for many files."""
    count = size = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                count += 1
                size += os.stat(os.path.join(parent, name)).st_size
    return count, size


def _of_plugins() -> list[Row]:
    from robust_restoration.plugins.registry import registry

    known = registry()
    rows = []
    for name in known.list("datasets"):
        offer, _ = known.find("datasets", name)
        rows.append(Row(name, "plugin", offer.entry.summary, source=f"plugin {offer.plugin}"))
    return rows
