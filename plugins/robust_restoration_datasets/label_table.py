"""Tables of labels: a folder with ``labels.csv``, and CSV files like it. Loads no torch."""

from __future__ import annotations

import csv
from pathlib import Path

from robust_restoration.errors import DataError, cleaned, what_is_wrong

TABLE = "labels.csv"


class LabelTable:
    """A folder with ``labels.csv``, by its path or as ``csv:FOLDER``."""

    def __call__(self, path: str, root: Path) -> Path:
        """The folder, which lies under the root where it is not a path from here."""
        return Path(path) if Path(path).exists() else root / path

    def recognise(
        self, path: Path, split: str | None, limit: int | None
    ) -> list[tuple[Path, int]] | None:
        """(file, label from 0) of each image that the table lists; ``None`` where there is none.

        Raises:
            DataError: If the table cannot be understood.
        """
        table = path / TABLE
        if split or not table.is_file():
            return None
        return [(path / name, label) for name, label in read_table(table, "file", "label")]


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


CSV = LabelTable()
