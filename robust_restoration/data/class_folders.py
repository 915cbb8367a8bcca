"""Folders with one subfolder a class."""

from __future__ import annotations

from pathlib import Path

from robust_restoration.images.folders import images_in


def class_folders(folder: Path) -> list[tuple[Path, int]]:
    """(file, label from 0) of each image in a folder's subfolders, one a class, by the alphabet."""
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [
        (file, label)
        for label, inner in enumerate(classes)
        for file in images_in(inner, deep=False)
    ]
