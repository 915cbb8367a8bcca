"""Folders of data: the data root, and folders below it. Loads no torch."""

from __future__ import annotations

import os
from pathlib import Path

from robust_restoration.files import cache_folder

ROOT_VARIABLE = "ROBUST_RESTORATION_DATA"


def data_root(root: Path | str | None = None) -> Path:
    """Where data sets lie: ``root``, else ``$ROBUST_RESTORATION_DATA``, else the cache's data."""
    chosen = root or os.environ.get(ROOT_VARIABLE)
    return Path(chosen).expanduser() if chosen else cache_folder() / "data"


def inside(base: Path, inner: str) -> Path | None:
    """A folder under ``base`` by its relative path in any letter case; exact matches first."""
    for part in Path(inner.lstrip("/")).parts:
        if not (base / part).is_dir():
            if not base.is_dir():
                return None
            named = (p for p in base.iterdir() if p.name.lower() == part.lower())
            same = sorted(p.name for p in named if p.is_dir())
            if not same:
                return None
            part = same[0]
        base = base / part
    return base if base.is_dir() else None
