"""Which image has which label: tables of labels, and folders with one subfolder a class."""

from __future__ import annotations

import csv
from pathlib import Path

from robust_restoration.errors import DataError, cleaned, what_is_wrong
from robust_restoration.images.folders import images_in

TABLE = "labels.csv"


def listed_labels(folder: Path) -> list[tuple[Path, int]]:
    """(file, label from 0) of each image that a folder's ``labels.csv`` lists.

    Returns:
        Nothing where the folder has no such table.

    Raises:
        DataError: If the table cannot be understood.
    """
    table = folder / TABLE
    if not table.is_file():
        return []
    return [(folder / name, label) for name, label in read_table(table, "file", "label")]


def class_folders(folder: Path) -> list[tuple[Path, int]]:
    """(file, label from 0) of each image in a folder's subfolders, one a class, by the alphabet."""
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [
        (file, label)
        for label, inner in enumerate(classes)
        for file in images_in(inner, deep=False)
    ]


def read_table(table: Path, name: str, label: str, *, first: int = 0) -> list[tuple[str, int]]:
    """(name, label from 0) of each row of a CSV file.

    Args:
        table: The file.
        name: The column of the names.
        label: The column of the labels.
        first: The lowest label that the table has, which becomes 0.

    Raises:
        DataError: If the file is damaged, lacks a column, or has other labels.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{table} is damaged or no CSV file ({what_is_wrong(error)}).") from error
    if not rows or not {name, label} <= set(rows[0]):
        raise DataError(f"{table} has no columns '{name}' and '{label}', or has no row.")
    labels = []
    for row in rows:
        try:
            labels.append(int(row[label]) - first)
        except (TypeError, ValueError) as error:  # a short row has none
            raise DataError(
                f"{table} has the label {cleaned(str(row[label] or ''))!r}; expected an integer."
            ) from error
    if min(labels) < 0:
        raise DataError(f"{table} has the label {min(labels) + first}; expected {first} or more.")
    return [(row[name], label) for row, label in zip(rows, labels, strict=True)]
