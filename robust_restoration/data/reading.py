"""Reads located image files and pairs of real noise."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor

from robust_restoration.errors import DataError
from robust_restoration.images.checks import check_images
from robust_restoration.images.files import read_image
from robust_restoration.images.pixels import compact

from .formats import read_mat
from .locate import Located, images_in
from .pairs import RestorationImages


def read_folder(path: Path, limit: int | None) -> RestorationImages:
    """All images in a folder, or the one of a file."""
    files = [path] if path.is_file() else images_in(path)
    if not files:
        raise DataError(f"{path} holds no image.")
    name = path.stem if path.is_file() else path.resolve().name
    return read_files(files[:limit], path, name)


def read_files(files: list[Path], folder: Path, name: str) -> RestorationImages:
    """Image files, of which damaged ones are named and skipped.

    Raises:
        DataError: If none can be read.
    """
    found = RestorationImages(name, [], [])
    for file in files:
        try:
            found.clean.append(_read(file))
        except DataError as error:
            found.damaged.append(str(error))
        else:
            found.names.append(_label(file, folder))
    return _some(found, folder)


def read_located(found: Located, limit: int | None) -> RestorationImages:
    """A named set's images or pairs; warns if it is not complete."""
    expected = found.named.expected()
    if found.count != expected:
        warnings.warn(
            f"{found.folder} holds {found.count} images; {found.name} has {expected}, so that "
            "results are not those of the whole set.",
            stacklevel=4,
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
            pair = _read(clean_file), _read(noisy_file)
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
    return _some(RestorationImages(found.name, clean, names, noisy, damaged), found.folder)


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


def _read(file: Path) -> Tensor:
    image = read_image(file)
    try:
        check_images(image[None], file.name)  # floating-point and 32-bit files may hold anything
    except ValueError as error:
        raise DataError(f"{file}: {error}") from error
    return compact(image)


def _label(file: Path, folder: Path) -> str:
    inside = file.relative_to(folder) if file != folder else Path(file.name)
    return inside.with_suffix("").as_posix()


def _some(images: RestorationImages, folder: Path) -> RestorationImages:
    if not images.clean:
        raise DataError(
            f"None of the {len(images.damaged)} images in {folder} could be read. "
            f"{images.damaged[0] if images.damaged else ''}".rstrip()
        )
    return images
