"""Images of one size as one tensor: in memory, or where they are many in a file that is mapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from robust_restoration.errors import DataError, InputError
from robust_restoration.files import atomic_path, cache_folder, write_json

IN_MEMORY = 2**30  # bytes of images; more are kept in the cache folder, decoded


class Read(NamedTuple):
    """What came of image files.

    Attributes:
        images: (N, C, H, W) uint8.
        kept: Which of the files they are.
        damaged: A sentence on each of the others.
    """

    images: Tensor
    kept: list[int]
    damaged: list[str]


def read_alike(
    files: Sequence[Path], read: Callable[[Path], Tensor], folder: Path, options: str
) -> Read:
    """Read image files of one size, or that are brought to one.

    Above `IN_MEMORY` they become one file in the cache folder, by which another call is spared the
    decoding. The tensor is then mapped from it: the system reads what is asked for, and gives the
    memory back when others need it.

    Args:
        files: The files, at least one.
        read: Makes an image (C, H, W) uint8 of a file, or raises `DataError`.
        folder: Where they lie, for messages.
        options: What ``read`` does, for the name of the cached file.

    Raises:
        DataError: If none can be read.
        InputError: If they are of several sizes, or have several numbers of channels.
    """
    damaged: list[str] = []
    kept: list[int] = []

    def decoded() -> Iterator[Tensor]:
        for number, file in enumerate(files):
            try:
                image = read(file)
            except DataError as error:
                damaged.append(str(error))
            else:
                kept.append(number)
                yield image

    images = decoded()
    first = next(images, None)
    if first is None:
        raise DataError(f"None of the {len(files)} images in {folder} could be read. {damaged[0]}")
    shape = tuple(first.shape)
    if len(files) * first.numel() <= IN_MEMORY:
        whole = torch.empty(len(files), *shape, dtype=torch.uint8)
        for place, image in enumerate(_alike(first, images, folder)):
            whole[place] = image
        return Read(whole[: len(kept)], kept, damaged)
    path = cache_folder() / "images" / f"{_key(files, options)}.bin"
    card = path.with_suffix(".json")
    if not (path.exists() and card.exists()):
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            for image in _alike(first, images, folder):
                file.write(image.contiguous().numpy().data)
        write_json(card, {"kept": kept, "damaged": damaged, "shape": shape})
    facts = json.loads(card.read_text(encoding="utf-8"))
    count = len(facts["kept"])
    mapped = torch.from_file(str(path), shared=True, size=count * first.numel(), dtype=torch.uint8)
    return Read(mapped.view(count, *shape), facts["kept"], facts["damaged"])


def _alike(first: Tensor, others: Iterator[Tensor], folder: Path) -> Iterator[Tensor]:
    yield first
    for image in others:
        if len(image) != len(first):
            raise InputError(
                f"The images in {folder} have {len(first)} and {len(image)} channels; expected one "
                "number, all gray or all colour."
            )
        if image.shape != first.shape:
            raise InputError(
                f"The images in {folder} have different sizes, such as {tuple(first.shape)} and "
                f"{tuple(image.shape)}; give a size to bring them to one."
            )
        yield image


def _key(files: Sequence[Path], options: str) -> str:
    digest = hashlib.sha256(options.encode())
    for file in files:
        facts = file.stat() if file.exists() else None
        state = (facts.st_size, facts.st_mtime_ns) if facts else "missing"
        digest.update(f"{file.resolve()} {state}\n".encode())
    return digest.hexdigest()[:16]
