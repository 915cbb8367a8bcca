"""What data sets there are, and what of them lies under the data root. Loads no torch."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robust_restoration.data.folders import data_root
from robust_restoration.data.names import offered_sets, other_folders
from robust_restoration.images.folders import SUFFIXES

from .locate import search
from .sets import NamedSet


@dataclass(frozen=True)
class Row:
    """One data set, or one split of it.

    Attributes:
        name: What `load_images` and `load_labelled` call it.
        kind: ``"restoration"``, ``"real-noise"``, ``"labelled"``, ``"folder"`` for other folders
            under the root, or ``"plugin"`` for sets that say nothing of themselves.
        summary: What it is.
        aliases: Other names of it.
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
    """All data sets that plugins offer, and other folders under the root.

    Args:
        root: Where data sets lie, as in `load_images`.
    """
    rows: list[Row] = []
    silent: list[Row] = []
    seen: set[str] = set()
    for offer, target in offered_sets():
        if offer.entry.target in seen and hasattr(target, "facts"):
            continue  # another name of the same
        seen.add(offer.entry.target)
        if hasattr(target, "facts"):
            rows += [Row(**facts) for facts in target.facts(data_root(root))]
        else:
            entry = offer.entry
            silent.append(
                Row(entry.name, "plugin", entry.summary, source=f"plugin {offer.plugin}")
            )
    for name in other_folders(root):
        folder = data_root(root) / name
        count, size = tally(folder)
        if count:
            rows.append(Row(name, "folder", "images", found=count, size=size, folder=str(folder)))
    return rows + silent


def tally(folder: Path) -> tuple[int, int]:
    """How many images a folder holds, to its bottom, and their bytes; quick for many files."""
    count = size = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                count += 1
                size += os.lstat(os.path.join(parent, name)).st_size
    return count, size


def row(named: NamedSet, split: str | None, root: Path) -> dict[str, Any]:
    """A set, or a split of it: the values of a `Row`."""
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
        return {**common, "problem": " ".join(problems)}
    listed = found.files[0].suffix == ".csv"
    size = tally(found.folder)[1] if listed else sum(f.stat().st_size for f in found.files)
    return {
        **common,
        "found": found.count,
        "size": size,
        "folder": str(found.folder),
        "problem": " ".join(found.unpaired[:3]) if found.count else "Its files cannot be read.",
    }
