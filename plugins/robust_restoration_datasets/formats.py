"""Files in which labelled sets are published: CIFAR's binary, SVHN's .mat, MNIST's idx, .npz.

Each format says which files hold a split, counts images without reading them all, and reads them
as arrays. Nothing here is unpickled, and no torch is needed.
"""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from robust_restoration.errors import DataError

if TYPE_CHECKING:
    import numpy as np  # below it is imported where files are read: listing sets does without

Arrays = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
CIFAR_ROW = 1 + 3 * 32 * 32
# What reading a damaged archive may raise.
UNREADABLE = (OSError, EOFError, LookupError, ValueError, zlib.error, zipfile.BadZipFile)


class Format(Protocol):
    """How one kind of file is found, counted and read."""

    def patterns(self, split: str) -> tuple[str, ...]:
        """Names of the files that hold a split; empty if the format has no such split."""

    def count(self, files: list[Path]) -> int:
        """How many images the files hold; 0 if that cannot be read."""

    def read(self, files: list[Path], limit: int | None) -> Arrays:
        """Images (N, H, W, C) uint8 and labels (N,) from 0."""


class CifarBinary:
    """CIFAR-10's binary version: a byte of label and 3072 of pixels a row."""

    def patterns(self, split: str) -> tuple[str, ...]:
        """``data_batch_1.bin`` to ``data_batch_5.bin``, and ``test_batch.bin``."""
        train = tuple(f"data_batch_{n}.bin" for n in range(1, 6))
        return {"train": train, "test": ("test_batch.bin",)}.get(split, ())

    def count(self, files: list[Path]) -> int:
        """From the files' sizes."""
        return sum(file.stat().st_size for file in files) // CIFAR_ROW

    def read(self, files: list[Path], limit: int | None) -> Arrays:
        """Rows of all files, in order."""
        import numpy as np

        rows = []
        for file in files:
            data = np.fromfile(file, dtype=np.uint8)
            if not data.size or data.size % CIFAR_ROW:
                raise DataError(
                    f"{file} has {data.size} bytes, which is not a multiple of {CIFAR_ROW}: it is "
                    "cut off or not a CIFAR-10 batch. Get it again."
                )
            rows.append(data.reshape(-1, CIFAR_ROW))
        table = np.concatenate(rows)[:limit]
        return table[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), table[:, 0]


class SvhnMat:
    """SVHN's cropped digits: ``X`` (32, 32, 3, N) and ``y`` (N, 1), in which 10 means digit 0."""

    def patterns(self, split: str) -> tuple[str, ...]:
        """``train_32x32.mat`` and so on."""
        return (f"{split}_32x32.mat",) if split in ("train", "test", "extra") else ()

    def count(self, files: list[Path]) -> int:
        """From the headers."""
        return mat_shapes(files[0]).get("X", (0,))[-1]

    def read(self, files: list[Path], limit: int | None) -> Arrays:
        """The digits, with labels 0 to 9."""
        found = read_mat(files[0], "X", "y")
        return found["X"].transpose(3, 0, 1, 2)[:limit], found["y"].ravel()[:limit] % 10


class Idx:
    """MNIST's files, gzipped or not."""

    def patterns(self, split: str) -> tuple[str, ...]:
        """``train-images-idx3-ubyte`` and so on; ``.gz`` may follow."""
        prefix = {"train": "train", "test": "t10k"}.get(split)
        return (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte") if prefix else ()

    def count(self, files: list[Path]) -> int:
        """From the labels' header."""
        try:
            with _open(files[1]) as file:
                header = file.read(8)
        except UNREADABLE:
            return 0
        return int(struct.unpack(">ii", header)[1]) if len(header) == 8 else 0

    def read(self, files: list[Path], limit: int | None) -> Arrays:
        """The digits."""
        images, labels = _idx(files[0], 3), _idx(files[1], 1)
        return images[:limit, :, :, None], labels[:limit]


class Npz:
    """An ``.npz`` file with ``x`` (N, H, W[, C]) uint8 and ``y`` (N,)."""

    def patterns(self, split: str) -> tuple[str, ...]:
        """Any ``.npz`` with the split in its name; of several, the first by name."""
        return (f"*{split}*.npz",)

    def count(self, files: list[Path]) -> int:
        """From the header of ``y``."""
        import numpy as np

        try:
            with zipfile.ZipFile(files[0]) as archive, archive.open("y.npy") as file:
                version = np.lib.format.read_magic(file)
                header = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    header = np.lib.format.read_array_header_2_0
                shape, _, _ = header(file)
                return int(shape[0]) if shape else 0
        except UNREADABLE:
            return 0

    def read(self, files: list[Path], limit: int | None) -> Arrays:
        """Both arrays."""
        from .arrays import read_npz

        return read_npz(files[0], limit)


FORMATS: dict[str, Format] = {
    "cifar": CifarBinary(),
    "svhn": SvhnMat(),
    "idx": Idx(),
    "npz": Npz(),
}


def find_split(
    folder: Path, split: str, formats: Iterable[str] = tuple(FORMATS)
) -> tuple[Format, list[Path]] | None:
    """The format and the files that hold a split in a folder.

    Args:
        folder: Where to look; not in its subfolders.
        split: ``"train"``, ``"test"``, ...
        formats: Keys of `FORMATS` to try, in this order.

    Returns:
        ``None`` if the folder has none of a split's files.

    Raises:
        DataError: If it has some of them but not all; names the missing ones.
    """
    for format in (FORMATS[name] for name in formats):
        patterns = format.patterns(split)
        found = {pattern: _matches(folder, pattern) for pattern in patterns}
        if not any(found.values()):
            continue
        missing = [pattern for pattern, files in found.items() if not files]
        if missing:
            raise DataError(f"{folder} lacks {' and '.join(missing)}; its other files are there.")
        return format, [files[0] for files in found.values()]
    return None


def refusal(folder: Path) -> str:
    """Why a folder is not read though it holds a known set; empty if there is no such reason."""
    if (folder / "data_batch_1").is_file():
        return (
            f"{folder} is CIFAR-10's Python version: pickles, which can run code when they are "
            "read. Get the binary version, https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
        )
    return ""


def mat_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays in a .mat file; empty if it cannot be read."""
    from scipy.io import whosmat

    try:
        return {name: tuple(shape) for name, shape, _ in whosmat(path)}
    except Exception:  # scipy raises whatever the damaged bytes lead it to
        return {}


def read_mat(path: Path, *names: str) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of a .mat file, by name.

    Raises:
        DataError: If the file is damaged or has no such arrays.
    """
    import numpy as np
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=list(names))
    except Exception as error:  # as above
        raise DataError(f"{path} is damaged or not a .mat file ({error}).") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"{path} holds no {' and no '.join(missing)}.")
    return {name: np.asarray(found[name]) for name in names}


def _matches(folder: Path, pattern: str) -> list[Path]:
    return sorted(p for p in (*folder.glob(pattern), *folder.glob(f"{pattern}.gz")) if p.is_file())


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _idx(path: Path, dimensions: int) -> np.ndarray[Any, Any]:
    """An idx file: 0, 0, 8 (unsigned bytes), number of dimensions, their sizes, the bytes."""
    import numpy as np

    try:
        with _open(path) as file:
            data = file.read()
    except UNREADABLE as error:
        raise DataError(f"{path} is damaged ({error}).") from error
    start = 4 + 4 * dimensions
    if data[:4] != bytes((0, 0, 8, dimensions)) or len(data) < start:
        raise DataError(f"{path} is not an idx file of {dimensions} dimensions of bytes.")
    shape = struct.unpack(f">{dimensions}i", data[4:start])
    if len(data) - start != int(np.prod(shape)):
        raise DataError(f"{path} is cut off: {len(data) - start} bytes for shape {shape}.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
