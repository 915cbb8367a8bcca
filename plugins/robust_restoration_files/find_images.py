"""Image files among the files and folders that a user names. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from robust_restoration.errors import DataError
from robust_restoration.images.folders import SUFFIXES, images_in


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
