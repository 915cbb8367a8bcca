"""Loads images to restore from named sets, folders, files and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robust_restoration.errors import DataError, InputError
from robust_restoration.images.checks import check_images
from robust_restoration.images.pixels import to_channels

from .labelled import LabelledImages, load_labelled
from .locate import data_root, locate
from .names import understand
from .pairs import RestorationImages
from .reading import read_folder, read_located


def load_images(
    data: RestorationImages | LabelledImages | Path | str | Tensor | Sequence[Tensor],
    *,
    root: Path | str | None = None,
    channels: int | None = None,
    limit: int | None = None,
) -> RestorationImages:
    """Load images to restore.

    Args:
        data: A folder, which is searched to the bottom for images, or an image file; the name of
            a data set, such as ``"set12"``, in any letter case (``robust-restoration datasets``
            lists them); a tensor (N, C, H, W) or (C, H, W), or a list of tensors (C, H, W), uint8
            or floating-point in [0, 1]; `RestorationImages`, or `LabelledImages`, whose labels
            are dropped. An existing path comes before a name.
        root: Where named data sets lie; else ``$ROBUST_RESTORATION_DATA``, else ``data`` in the
            package's cache folder.
        channels: 1 makes colour images gray (BT.601 weights), 3 makes gray images colour;
            ``None`` keeps the images' own, which must then agree.
        limit: Take only the first so many files or images.

    Returns:
        The images; files that could not be read are named in ``damaged``.

    Raises:
        DataError: If nothing usable is there; says what is missing.
        UnknownNameError: If there is no such name; names the nearest.
        InputError: If the images differ in their number of channels, or tensors are no images.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; expected 1 or more, or None for all.")
    if isinstance(data, str | Path):
        found = _from_word(data, root, limit)
    elif isinstance(data, LabelledImages):
        found = _from_labelled(data, limit)
    elif isinstance(data, RestorationImages):
        found = data if limit is None else replace(data.subset(slice(limit)), damaged=data.damaged)
    else:
        found = _from_tensors(data, limit)
    return _with_channels(found, channels)


def _from_word(
    word: Path | str, root: Path | str | None, limit: int | None
) -> RestorationImages:
    expected = understand(word, root)
    if expected.path:
        path = expected.path / expected.split if expected.split else expected.path
        if not path.exists():
            raise DataError(f"There is no folder {path}.")
        return read_folder(path, limit)
    if expected.plugin:
        from robust_restoration.plugins.registry import registry

        found = load_images(
            registry().create("datasets", expected.plugin, data_root(root)), limit=limit
        )
        return replace(found, name=expected.plugin)
    assert expected.named is not None
    if expected.named.kind == "labelled":
        own = expected.named.channels
        labelled = load_labelled(word, root=root, channels=own, limit=limit)
        return _from_labelled(labelled, limit)
    return read_located(locate(expected.named, root, expected.split), limit)


def _from_labelled(data: LabelledImages, limit: int | None) -> RestorationImages:
    images = list(data.images[:limit])
    names = [str(i) for i in range(len(images))]
    return RestorationImages(data.name or "images", images, names, damaged=list(data.damaged))


def _from_tensors(data: Any, limit: int | None) -> RestorationImages:
    if isinstance(data, Tensor) and data.ndim == 3:
        data = data[None]
    if not isinstance(data, Tensor | list | tuple):
        raise InputError(
            f"data is a {type(data).__name__}; expected a name, a folder, a tensor (N, C, H, W) or "
            "a list of tensors (C, H, W)."
        )
    images = []
    for number, image in enumerate(data[:limit]):
        name = f"image {number}"
        if not isinstance(image, Tensor) or image.ndim != 3:
            shape = f" of shape {tuple(image.shape)}" if isinstance(image, Tensor) else ""
            raise InputError(
                f"{name} is a {type(image).__name__}{shape}; expected a tensor (C, H, W)."
            )
        image = image.detach().cpu()
        if image.dtype == torch.uint8:
            check_images(image[None].float() / 255, name)
        else:
            check_images(image[None], name, fix="8-bit values in [0, 255] become so with / 255")
            image = image.float()
        images.append(image.contiguous())
    if not images:
        raise InputError("data holds no image.")
    return RestorationImages("images", images, [str(i) for i in range(len(images))])


def _with_channels(images: RestorationImages, channels: int | None) -> RestorationImages:
    if channels is not None:
        noisy = images.noisy
        return replace(
            images,
            clean=[to_channels(i, channels) for i in images.clean],
            noisy=None if noisy is None else [to_channels(i, channels) for i in noisy],
        )
    counts = sorted({i.shape[0] for i in images.clean})
    if len(counts) > 1:
        raise InputError(
            f"{images.name} has images of {' and of '.join(map(str, counts))} channels; give "
            "channels=1 (gray) or channels=3 (colour) to bring them to one number."
        )
    return images
