"""Reads named sets: images, pairs of real noise, and labelled images."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor

from robust_restoration.data.labelled import LabelledImages
from robust_restoration.data.restoration_images import RestorationImages, read_files, some
from robust_restoration.errors import DataError
from robust_restoration.images.files import read_image
from robust_restoration.images.pixels import compact

from .arrays import from_arrays
from .formats import find_split, read_mat
from .locate import Located
from .sets import NamedSet


def read_split(
    named: NamedSet, folder: Path, split: str, limit: int | None
) -> LabelledImages | None:
    """A split that lies in a folder, in one of the set's formats."""
    found = find_split(folder, split, named.formats)
    if found is None:
        return None
    format, files = found
    x, y = format.read(files, limit)
    return from_arrays(x, y, files[0])


def read_located(
    found: Located, limit: int | None
) -> RestorationImages | LabelledImages | Path:
    """A named set's images or pairs, or the folder of one with a table of labels.

    Warns if a set that has no labels is not complete.
    """
    if found.format is not None:
        x, y = found.format.read(found.files, limit)
        return from_arrays(x, y, found.files[0], found.name)
    if found.named.kind == "labelled":
        return found.folder
    expected = found.named.expected()
    if found.count != expected:
        warnings.warn(
            f"{found.folder} holds {found.count} images; {found.name} has {expected}, so that "
            "results are not those of the whole set.",
            stacklevel=7,
        )
    if not found.named.clean:
        return read_files(found.files[:limit], found.folder, found.name)
    if found.named.clean.endswith(".mat"):
        return _read_blocks(found, limit)
    return _read_pairs(found, limit)


def _read_pairs(found: Located, limit: int | None) -> RestorationImages:
    clean: list[Tensor] = []
    noisy: list[Tensor] = []
    names: list[str] = []
    damaged = list(found.unpaired)
    ending = len(found.named.clean) - 1  # of what follows the * of the pattern
    pairs = list(zip(found.files[::2], found.files[1::2], strict=True))
    for clean_file, noisy_file in pairs[:limit]:
        try:
            pair = compact(read_image(clean_file)), compact(read_image(noisy_file))
        except DataError as error:
            damaged.append(str(error))
            continue
        if pair[0].shape != pair[1].shape:
            shapes = [tuple(image.shape) for image in pair]
            damaged.append(
                f"{noisy_file} has shape {shapes[1]}; its partner {clean_file.name}, {shapes[0]}."
            )
            continue
        clean.append(pair[0])
        noisy.append(pair[1])
        names.append(clean_file.relative_to(found.folder).as_posix()[:-ending])
    return some(RestorationImages(found.name, clean, names, noisy, damaged), found.folder)


def _read_blocks(found: Located, limit: int | None) -> RestorationImages:
    """SIDD's validation blocks: (40 images, 32 blocks, 256, 256, 3) uint8."""
    arrays = []
    for file in found.files:
        array = read_mat(file, file.stem)[file.stem]
        if array.ndim != 5 or array.dtype.kind != "u" or array.dtype.itemsize != 1:
            raise DataError(
                f"{file}: {file.stem} is {array.dtype} of shape {array.shape}; expected uint8 "
                "(images, blocks, H, W, 3)."
            )
        arrays.append(torch.from_numpy(array))
    if arrays[0].shape != arrays[1].shape:
        shapes = " and ".join(str(tuple(a.shape)) for a in arrays)
        raise DataError(f"The noisy and the clean blocks in {found.folder} differ: {shapes}.")
    blocks = arrays[0].shape[1]
    names = [f"{i + 1:04d}-{j + 1:02d}" for i in range(len(arrays[0])) for j in range(blocks)]
    clean, noisy = (
        [b.permute(2, 0, 1).contiguous() for b in array.flatten(0, 1)[:limit]] for array in arrays
    )
    return RestorationImages(found.name, clean, names[:limit], noisy=noisy)
