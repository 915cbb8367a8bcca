"""Which image has which label: tables of labels, and folders with one subfolder a class."""

from __future__ import annotations

import csv
from pathlib import Path

from robust_restoration.errors import DataError
from robust_restoration.images.folders import images_in

TABLES = ("labels.csv", "images.csv", "dev_dataset.csv")


def label_table(folder: Path) -> Path | None:
    """The table of labels in a folder of images, if there is one."""
    return next((folder / n for n in TABLES if (folder / n).is_file()), None)


def listed_labels(folder: Path) -> list[tuple[Path, int]]:
    """(file, label from 0) of each image a folder lists.

    Returns:
        Nothing where the folder has neither a table of labels nor subfolders of images.

    Raises:
        DataError: If the table cannot be understood.
    """
    table = label_table(folder)
    if table is not None:
        return _from_table(table)
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [
        (file, label)
        for label, inner in enumerate(classes)
        for file in images_in(inner, deep=False)
    ]


def _from_table(table: Path) -> list[tuple[Path, int]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{table} is damaged or no CSV file ({error}).") from error
    ours = table.name == "labels.csv"
    name, label, first = ("file", "label", 0) if ours else ("ImageId", "TrueLabel", 1)
    if not rows or not {name, label} <= set(rows[0]):
        raise DataError(f"{table} has no columns '{name}' and '{label}', or has no row.")
    try:
        labels = [int(row[label]) - first for row in rows]
    except (TypeError, ValueError) as error:
        raise DataError(f"{table} has a label that is not an integer: {error}.") from error
    if min(labels) < 0:
        raise DataError(f"{table} has the label {min(labels) + first}; expected {first} or more.")
    folder = table.parent
    if ours:
        return [(folder / row[name], label) for row, label in zip(rows, labels, strict=True)]
    if (folder / "images").is_dir():
        folder = folder / "images"
    return [(folder / f"{row[name]}.png", label) for row, label in zip(rows, labels, strict=True)]
