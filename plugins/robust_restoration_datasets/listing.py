"""What of a named set lies under a data root, as a row of the list. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from robust_restoration.data.listing import Row, tally

from .locate import search
from .sets import NamedSet


def row(named: NamedSet, split: str | None, root: Path) -> Row:
    """A set, or a split of it."""
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
    size = tally(found.folder)[1] if listed else sum(f.stat().st_size for f in found.files)
    return Row(
        **common,
        found=found.count,
        size=size,
        folder=str(found.folder),
        problem=" ".join(found.unpaired[:3]) if found.count else "Its files cannot be read.",
    )
