"""Labelled images, for training and evaluating purifiers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robust_restoration.errors import DataError, InputError
from robust_restoration.images.files import read_image
from robust_restoration.images.pixels import to_channels

from .formats import FORMATS, Format, find_split, refusal
from .labels import listed_labels
from .locate import data_root, locate
from .names import understand


@dataclass
class LabelledImages:
    """Images with class labels, all of one size, in memory.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64.
        damaged: What could not be read, one sentence a file.
        name: What tables call it.
    """

    images: Tensor
    labels: Tensor
    damaged: list[str] = field(default_factory=list)
    name: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Tensor | slice) -> LabelledImages:
        """The images at ``indices``."""
        return LabelledImages(self.images[indices], self.labels[indices], name=self.name)

    def pixels(self, indices: Tensor | slice) -> Tensor:
        """(B, C, H, W) float32 in [0, 1]."""
        return self.images[indices].float() / 255

    def fingerprint(self) -> str:
        """A short hash of all images and labels, for naming what is derived from them."""
        digest = hashlib.sha256()
        digest.update(str(tuple(self.images.shape)).encode())
        digest.update(self.images.contiguous().numpy().tobytes())
        digest.update(self.labels.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def load_labelled(
    data: Path | str | LabelledImages,
    *,
    size: int | None = None,
    channels: int = 3,
    limit: int | None = None,
    split: str | None = None,
    root: Path | str | None = None,
) -> LabelledImages:
    """Load labelled images.

    Args:
        data: The name of a data set, in any letter case, such as ``"cifar10:test"``
            (``robust-restoration datasets`` lists them); an ``.npz`` file with ``x``
            (N, H, W[, C]) uint8 and ``y`` (N,); or a folder with

            - ``labels.csv`` (columns ``file,label``, labels from 0),
            - ``images.csv`` or ``dev_dataset.csv`` of the NeurIPS 2017 competition (columns
              ``ImageId,TrueLabel``, labels from 1, which are made to start at 0),
            - one subfolder a class, in alphabetical order,
            - the files of CIFAR-10's binary version, SVHN or MNIST as published.

            An existing path comes before a name.
        size: Images are scaled (bicubic) so that their shorter side is size, and cropped in the
            middle to size x size; ``None`` keeps them, and they must then agree.
        channels: 1 for gray, 3 for colour.
        limit: Take only the first so many.
        split: ``"train"``, ``"test"``, ...; the same as ``NAME:split``. In a folder, the files
            or the subfolder of that name.
        root: Where named data sets lie; else ``$ROBUST_RESTORATION_DATA``, else ``data`` in the
            package's cache folder.

    Raises:
        DataError: If nothing usable is there; says what is missing.
        UnknownNameError: If there is no such name; names the nearest.
        InputError: If the set has splits and none is chosen, or sizes differ.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; expected 1 or more, or None for all.")
    if isinstance(data, LabelledImages):
        return _adapted(data, size, channels, limit)
    expected = understand(data, root)
    if split and expected.split and split != expected.split:
        raise InputError(f"{data} and split={split!r} contradict each other.")
    split = split or expected.split
    if expected.plugin:
        return _from_plugin(expected.plugin, data_root(root), size, channels, limit)
    if expected.named is None:
        assert expected.path is not None
        return _from_path(expected.path, size, channels, limit, split)
    if expected.named.kind != "labelled":
        raise DataError(f"{expected.named.name} has no labels; expected a labelled data set.")
    found = locate(expected.named, root, split)
    if found.format is None:
        images = _from_path(found.folder, size, channels, limit, None)
    else:
        images = _read_arrays(found.format, found.files, size, channels, limit)
    images.name = found.name
    return images


def _from_plugin(
    name: str, root: Path, size: int | None, channels: int, limit: int | None
) -> LabelledImages:
    from robust_restoration.plugins.registry import registry

    made = registry().create("datasets", name, root)
    if isinstance(made, str | Path):
        made = load_labelled(made, size=size, channels=channels, limit=limit)
    if not isinstance(made, LabelledImages):
        raise DataError(f"{name} is a {type(made).__name__}, which has no labels.")
    return replace(_adapted(made, size, channels, limit), name=name)


def _adapted(
    data: LabelledImages, size: int | None, channels: int, limit: int | None
) -> LabelledImages:
    images = _stack(data.images[:limit], size, channels)
    return LabelledImages(images, data.labels[:limit], list(data.damaged), data.name)


def _from_path(
    path: Path, size: int | None, channels: int, limit: int | None, split: str | None
) -> LabelledImages:
    if path.suffix == ".npz":
        images = _read_arrays(FORMATS["npz"], [path], size, channels, limit)
        return replace(images, name=path.stem)
    if not path.is_dir():
        raise DataError(f"{path} is neither a folder nor an .npz file.")
    if split:
        if (path / split).is_dir():
            return replace(
                _from_path(path / split, size, channels, limit, None), name=f"{path.name}:{split}"
            )
        found = find_split(path, split)
        if not found:
            raise DataError(f"{path} holds no split {split!r}. {refusal(path)}".rstrip())
        images = _read_arrays(*found, size, channels, limit)
        return replace(images, name=f"{path.name}:{split}")
    return _from_listed(path, size, channels, limit)


def _from_listed(
    path: Path, size: int | None, channels: int, limit: int | None
) -> LabelledImages:
    listed = listed_labels(path)[:limit]
    images, labels, damaged = [], [], []
    for file, label in listed:
        try:
            image = _fit(read_image(file), size, channels)
        except DataError as error:
            damaged.append(str(error))
            continue
        images.append((image * 255).round().to(torch.uint8))
        labels.append(label)
    if not images:
        raise DataError(f"None of the {len(listed)} images in {path} could be read. {damaged[0]}")
    shapes = {tuple(i.shape) for i in images}
    if len(shapes) > 1:
        raise InputError(
            f"The images in {path} have {len(shapes)} different sizes; give a size to bring them "
            "to one."
        )
    return LabelledImages(torch.stack(images), torch.tensor(labels), damaged, path.name)


def _read_arrays(
    format: Format, files: list[Path], size: int | None, channels: int, limit: int | None
) -> LabelledImages:
    x, y = format.read(files, limit)
    if y.ndim != 1 or y.dtype.kind not in "ui" or len(x) != len(y) or not len(x):
        raise DataError(
            f"{files[0]} has {len(x)} images and labels of shape {y.shape} and type {y.dtype}; "
            "expected one integer an image."
        )
    images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    labels = torch.from_numpy(y.astype(np.int64))
    return LabelledImages(_stack(images, size, channels), labels)


def _stack(images: Tensor, size: int | None, channels: int) -> Tensor:
    if images.shape[1] == channels and (size is None or images.shape[-2:] == (size, size)):
        return images.contiguous()
    fitted = [(_fit(i.float() / 255, size, channels) * 255).round() for i in images]
    return torch.stack(fitted).to(torch.uint8)


def _fit(image: Tensor, size: int | None, channels: int) -> Tensor:
    """(C, H, W) in [0, 1], of the expected channels, scaled and cropped."""
    image = to_channels(image, channels)
    if size is None:
        return image
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as tv

    if min(image.shape[-2:]) != size:
        image = tv.resize(image, [size], InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)
    return tv.center_crop(image, [size, size])
