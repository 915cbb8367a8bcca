"""Which files are images, and in which order they come. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
STRIP = ".strip.png"  # pictures for people, beside attacked images


def images_in(folder: Path, patterns: Iterable[str] = (), *, deep: bool = True) -> list[Path]:
    """Image files in a folder, in natural order (img2 before img10).

    Hidden files and folders are left out, and so are strips of pictures (``*.strip.png``). What
    only has an image's name, such as a folder ``a.png``, is listed: reading it says what it is.

    Args:
        folder: Where to look.
        patterns: Take only files with such names, in any letter case.
        deep: Whether its subfolders are searched too, to the bottom.
    """
    patterns = [pattern.lower() for pattern in patterns]
    found = [
        file
        for file in (folder.rglob("*") if deep else folder.iterdir())
        if file.name.lower().endswith(SUFFIXES) and not file.name.lower().endswith(STRIP)
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and (not patterns or any(fnmatchcase(file.name.lower(), p) for p in patterns))
    ]
    return sorted(found, key=lambda file: natural_order(file.as_posix()))


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers within text by value."""
    parts = re.split(r"(\d+)", text.lower())
    key = [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]
    return [*key, (2, 0, text)]  # names that differ in letter case or zeros keep one order
