"""What a named data set is: its facts, and how it is found and read. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_restoration.errors import DataError

from .label_table import read_table
from .locate import PARENTS

if TYPE_CHECKING:
    from robust_restoration.data.labelled import LabelledImages
    from robust_restoration.data.restoration_images import RestorationImages


@dataclass(frozen=True)
class NamedSet:
    """One named data set.

    Attributes:
        name: What users call it, in lower case.
        summary: What it is, in a few words.
        kind: ``"restoration"`` (clean images), ``"real-noise"`` (noisy and clean pairs) or
            ``"labelled"`` (images with classes).
        folders: Where it may lie under the data root, the best first; letter case is ignored.
        channels: 1 for gray, 3 for colour.
        count: How many images it has; for pairs, how many pairs; 0 where ``splits`` say it.
        terms: Its licence, or the terms of its use, in a few words.
        source: Where it is obtained.
        aliases: Other names of it.
        clean: For pairs, the clean images' file name, which may start with a ``*``.
        noisy: For pairs, the noisy images' file name; its ``*`` is the same text.
        splits: For labelled sets that have them, (name, number of images) pairs.
        formats: Of what format the splits' files are (keys of `FORMATS`).
        tables: For labelled sets without splits, the names that its table of labels goes by beside
            ``labels.csv``: columns ``ImageId`` and ``TrueLabel``, labels from 1, as the NeurIPS
            2017 competition has them.
        without: File names without suffix that do not belong to it, though they lie beside it.
    """

    name: str
    summary: str
    kind: str
    folders: tuple[str, ...]
    channels: int
    count: int
    terms: str
    source: str
    aliases: tuple[str, ...] = ()
    clean: str = ""
    noisy: str = ""
    splits: tuple[tuple[str, int], ...] = ()
    formats: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()

    def __call__(
        self, root: Path, *, split: str | None = None, limit: int | None = None
    ) -> RestorationImages | LabelledImages | Path:
        """The set as it lies under the root.

        Args:
            root: Where data sets lie.
            split: One of ``splits``, where it has them.
            limit: Read only the first so many.

        Raises:
            DataError: If it is not there, or damaged; says what was looked for, where it is
                obtained, and how to name another root.
            InputError: If the set has splits and none is chosen, or has no such split.
        """
        from .locate import locate
        from .read import read_located

        return read_located(locate(self, root, split), limit)

    def facts(self, root: Path) -> list[dict[str, Any]]:
        """What of it lies under the root: one row, or one for each split."""
        from .listing import row

        splits: list[str | None] = [name for name, _ in self.splits]
        return [row(self, split, root) for split in splits or [None]]

    def recognise(
        self, folder: Path, split: str | None, limit: int | None
    ) -> LabelledImages | list[tuple[Path, int]] | None:
        """What a folder has that holds this set as it is published; ``None`` for other folders.

        Returns:
            The images of a split, or, of a set with a table of labels, (file, label from 0).

        Raises:
            DataError: If the split must be chosen, is not there, or is in files that are not read.
        """
        from .locate import splits_in

        if not folder.is_dir():
            return None
        tables = [folder / name for name in self.tables if (folder / name).is_file()]
        if tables and not split:
            return rows_of(tables[0])
        from .read import read_split

        held = splits_in(self, folder)
        if not held:
            return None
        if split is None:
            raise DataError(
                f"{folder} holds neither labels.csv nor one folder of images a class. It holds "
                f"splits: give split={' or '.join(map(repr, held))}."
            )
        return read_split(self, folder, split, limit) if split in held else None

    @property
    def places(self) -> tuple[str, ...]:
        """Names of folders under the data root that belong to it, or hold it."""
        return tuple(dict.fromkeys([f.split("/")[0] for f in self.folders] + list(PARENTS)))

    @property
    def names(self) -> tuple[str, ...]:
        """All names it goes by."""
        return (self.name, *self.aliases)

    def expected(self, split: str | None = None) -> int:
        """How many images it has, or how many the split has."""
        return dict(self.splits)[split] if split else self.count


def rows_of(table: Path) -> list[tuple[Path, int]]:
    """(file, label from 0) of a table of the NeurIPS 2017 competition.

    Raises:
        DataError: If it is damaged.
    """
    folder = table.parent / "images" if (table.parent / "images").is_dir() else table.parent
    rows = read_table(table, "ImageId", "TrueLabel", first=1)
    return [(folder / f"{name}.png", label) for name, label in rows]
