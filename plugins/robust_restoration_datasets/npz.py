"""An ``.npz`` file of labelled images, as a data set. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robust_restoration.data.labelled import LabelledImages


class NpzFile:
    """A file with ``x`` (N, H, W[, C]) uint8 and ``y`` (N,), by its path or as ``npz:FILE``."""

    def __call__(self, path: str, root: Path, *, limit: int | None = None) -> LabelledImages:
        """The images of a file, which lies under the root where it is not a path from here."""
        file = Path(path)
        return self._read(file if file.exists() else root / path, limit)

    def recognise(
        self, path: Path, split: str | None, limit: int | None
    ) -> LabelledImages | None:
        """The images of an ``.npz`` file; ``None`` for anything else."""
        return self._read(path, limit) if path.suffix == ".npz" else None

    def _read(self, file: Path, limit: int | None) -> LabelledImages:
        from .arrays import from_arrays, read_npz

        return from_arrays(*read_npz(file, limit), file, file.name)


NPZ = NpzFile()
