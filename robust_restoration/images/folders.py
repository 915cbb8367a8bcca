"""Which files are images, and in which order they come. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from robust_restoration.errors import DataError

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
        if _is_image(file.name)
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and (not patterns or any(fnmatchcase(file.name.lower(), p) for p in patterns))
    ]
    return sorted(found, key=lambda file: natural_order(file.as_posix()))


def find_images(paths: Iterable[Path | str]) -> list[tuple[Path, Path]]:
    """Image files among files and folders.

    Args:
        paths: Files, and folders that are searched to the bottom as `images_in` does.

    Returns:
        (file, its path relative to what was given) pairs, in order and without repetition; equal
        relative paths are kept apart by their parents' names.

    Raises:
        DataError: If a path does not exist, or nothing at all is found.
    """
    found: list[tuple[Path, Path]] = []
    names: set[str] = set()
    seen: set[Path] = set()
    for given in map(Path, paths):
        if not given.exists() and not given.is_symlink():
            raise DataError(f"There is no file or folder {given}.")
        folder = given.is_dir()
        for file in images_in(given) if folder else [given]:
            if file.absolute() in seen:
                continue
            seen.add(file.absolute())
            relative = file.relative_to(given) if folder else Path(file.name)
            parents = file.absolute().parents
            depth = len(relative.parts) - 1
            while str(relative).lower() in names and depth < len(parents) - 1:
                relative = Path(parents[depth].name) / relative
                depth += 1
            names.add(str(relative).lower())  # as on disks that ignore letter case
            found.append((file, relative))
    if not found:
        raise DataError(f"No image was found (looked for {', '.join(SUFFIXES)}).")
    return found


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers within text by value."""
    parts = re.split(r"(\d+)", text.lower())
    key = [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]
    return [*key, (2, 0, text)]  # names that differ in letter case or zeros keep one order


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.lower().endswith(STRIP)
