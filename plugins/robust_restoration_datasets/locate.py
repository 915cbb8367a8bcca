"""Where a named set's files lie under the data root.

Files are counted, not read, and no torch is loaded.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from robust_restoration.data.folders import ROOT_VARIABLE, inside
from robust_restoration.errors import DataError, InputError, did_you_mean
from robust_restoration.images.folders import images_in, natural_order

from .formats import FORMATS, Format, find_split, mat_shapes, refusal
from .label_table import TABLE

if TYPE_CHECKING:
    from .sets import NamedSet

PARENTS = ("", "testsets", "trainsets")  # as in the repositories of DnCNN, FFDNet and KAIR


@dataclass(frozen=True)
class Located:
    """A named set as it lies on disk.

    Attributes:
        named: What it is.
        folder: Where it lies.
        split: Which split; ``None`` for sets without.
        files: Its files: images; for pairs, the clean and the noisy ones in turn.
        count: How many images, or pairs.
        unpaired: One sentence for each image without a partner.
        format: How a split's files are read.
    """

    named: NamedSet
    folder: Path
    split: str | None
    files: list[Path]
    count: int
    unpaired: tuple[str, ...] = ()
    format: Format | None = None

    @property
    def name(self) -> str:
        """What tables call it, such as ``cifar10:test``."""
        return f"{self.named.name}:{self.split}" if self.split else self.named.name


def locate(named: NamedSet, base: Path, split: str | None = None) -> Located:
    """Find a named set's files under the data root.

    Raises:
        DataError: If they are not there; says what was looked for, where it is obtained, and how
            to name another root.
        InputError: If the set has splits and none is chosen, or has no such split.
    """
    _check_split(named, split)
    found, problems = search(named, base, split)
    if found:
        return found
    if not base.is_dir():
        problems.append(f"There is no folder {base}.")
    looked = " or ".join("that folder itself" if f == "." else f"{f}/" for f in named.folders)
    sentences = [
        f"{named.name}{f':{split}' if split else ''} was not found under {base}: looked for "
        f"{_files_expected(named, split)} in {looked}.",
        *problems,
        f"Get it from {named.source} and put it into {base / named.folders[0]}, or say where your "
        f"data sets lie with root= or the variable {ROOT_VARIABLE}.",
    ]
    raise DataError(" ".join(sentences))


def search(
    named: NamedSet, base: Path, split: str | None
) -> tuple[Located | None, list[str]]:
    """A named set as it lies under the root, or what is wrong with the files that are there."""
    problems = []
    for folder in _candidates(named, base):
        try:
            found = _in_folder(named, folder, split)
        except DataError as error:
            problems.append(str(error))
            continue
        if found:
            return found, []
        if refusal(folder):
            problems.append(f"{refusal(folder)}.")
    return None, problems


def splits_in(named: NamedSet, folder: Path) -> list[str]:
    """The splits of which a folder holds files in this set's formats.

    Raises:
        DataError: If the folder holds the set in files that are not read; says why.
    """
    held = [
        split
        for split, _ in named.splits
        if any(
            any(folder.glob(f"{pattern}*"))
            for name in named.formats
            for pattern in FORMATS[name].patterns(split)
        )
    ]
    if not held and "cifar" in named.formats and refusal(folder):
        raise DataError(refusal(folder))
    return held


def _check_split(named: NamedSet, split: str | None) -> None:
    names = [name for name, _ in named.splits]
    if names and split is None:
        each = " or ".join(f"{named.name}:{name}" for name in names)
        raise InputError(f"{named.name} has splits: choose {each}.")
    if split is not None and split not in names:
        hint = did_you_mean(split, names) if names else "It has no splits."
        raise InputError(f"{named.name} has no split {split!r}. {hint}")


def _candidates(named: NamedSet, base: Path) -> list[Path]:
    """Folders that exist, the best first."""
    tried = [
        inside(base, f"{parent}/{folder}") for folder in named.folders for parent in PARENTS
    ]
    return [folder for folder in tried if folder]


def _in_folder(named: NamedSet, folder: Path, split: str | None) -> Located | None:
    if split:
        found = find_split(folder, split, named.formats)
        if found is None:
            return None
        format, files = found
        return Located(named, folder, split, files, format.count(files), format=format)
    if named.kind == "labelled":
        tables = (folder / name for name in (TABLE, *named.tables))
        table = next((table for table in tables if table.is_file()), None)
        if table is None:
            return None
        with table.open(newline="", encoding="utf-8", errors="replace") as file:
            count = sum(1 for _ in csv.DictReader(file))
        return Located(named, folder, None, [table], count)
    if named.clean.endswith(".mat"):
        return _blocks(named, folder)
    if named.clean:
        return _pairs(named, folder)
    files = [file for file in images_in(folder) if file.stem not in named.without]
    return Located(named, folder, None, files, len(files)) if files else None


def _blocks(named: NamedSet, folder: Path) -> Located | None:
    files = [folder / named.clean, folder / named.noisy]
    missing = [file.name for file in files if not file.is_file()]
    if len(missing) == 2:
        return None
    if missing:
        raise DataError(f"{folder} lacks {missing[0]}; its other file is there.")
    shapes = mat_shapes(files[0])
    images, blocks = (*next(iter(shapes.values()), ()), 0, 0)[:2]
    return Located(named, folder, None, files, images * blocks)


def _pairs(named: NamedSet, folder: Path) -> Located | None:
    """Clean and noisy files that have the same path but for the pattern's fixed part."""

    def keyed(pattern: str) -> dict[str, Path]:
        ending = len(pattern) - 1  # of what follows the *
        return {
            file.as_posix()[:-ending]: file for file in images_in(folder, [pattern])
        }

    clean, noisy = keyed(named.clean), keyed(named.noisy)
    if not clean and not noisy:
        return None
    both = sorted(clean.keys() & noisy.keys(), key=natural_order)
    unpaired = []
    for mine, others, pattern in ((clean, noisy, named.noisy), (noisy, clean, named.clean)):
        for key in sorted(mine.keys() - others.keys(), key=natural_order):
            partner = pattern.replace("*", Path(key).name)
            unpaired.append(f"{mine[key]} has no partner {partner}.")
    files = [file for key in both for file in (clean[key], noisy[key])]
    return Located(named, folder, None, files, len(both), tuple(unpaired))


def _files_expected(named: NamedSet, split: str | None) -> str:
    if named.clean:
        return f"{named.clean} and {named.noisy}"
    if split:
        return " or ".join(" and ".join(FORMATS[f].patterns(split)) for f in named.formats)
    return " or ".join((TABLE, *named.tables)) if named.kind == "labelled" else "images"
