"""Labelled images from folders, for training and evaluating purifiers."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .errors import DataError, InputError
from .images import SUFFIXES, read_image


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
    path: Path | str, *, size: int | None = None, channels: int = 3, limit: int | None = None
) -> LabelledImages:
    """Load labelled images.

    Args:
        path: A folder with ``labels.csv`` (columns ``file,label``, labels from 0); a folder with
            one subfolder a class, in alphabetical order; or an ``.npz`` file with ``x``
            (N, H, W[, C]) uint8 and ``y`` (N,).
        size: Images are scaled (bicubic) so that their shorter side is size, and cropped in the
            middle to size x size; ``None`` keeps them, and they must then agree.
        channels: 1 for gray, 3 for colour.
        limit: Take only the first so many.

    Raises:
        DataError: If nothing usable is there; says what is missing.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no data at {path}.")
    if path.suffix == ".npz":
        return _load_npz(path, channels, limit)
    if not path.is_dir():
        raise DataError(f"{path} is neither a folder nor an .npz file.")
    listed = _listed(path)[:limit]
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


def _listed(path: Path) -> list[tuple[Path, int]]:
    table = path / "labels.csv"
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows or not {"file", "label"} <= set(rows[0]):
            raise DataError(f"{table} has no columns 'file' and 'label', or no row.")
        try:
            return [(path / row["file"], int(row["label"])) for row in rows]
        except ValueError as error:
            raise DataError(f"{table} has a label that is no integer: {error}.") from error
    classes = sorted(p for p in path.iterdir() if p.is_dir())
    listed = [
        (file, label)
        for label, folder in enumerate(classes)
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in SUFFIXES
    ]
    if not listed:
        raise DataError(f"{path} holds neither labels.csv nor one folder of images a class.")
    return listed


def _load_npz(path: Path, channels: int, limit: int | None) -> LabelledImages:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            x, y = arrays["x"][:limit], arrays["y"][:limit]
    except (KeyError, ValueError, OSError) as error:
        raise DataError(f"{path} holds no arrays x and y that could be read ({error}).") from error
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise DataError(
            f"{path}: x is {x.dtype} of shape {x.shape}; wanted uint8 (N, H, W) or (N, H, W, C)."
        )
    images = torch.from_numpy(x if x.ndim == 4 else x[..., None]).permute(0, 3, 1, 2)
    if images.shape[1] != channels:
        raise DataError(f"{path} has {images.shape[1]} channels; wanted {channels}.")
    return LabelledImages(images.contiguous(), torch.from_numpy(y).long(), name=path.stem)


def _fit(image: Tensor, size: int | None, channels: int) -> Tensor:
    if image.shape[0] != channels:
        weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
        image = image.expand(3, -1, -1) if channels == 3 else (image * weights).sum(0, True)
    if size is None:
        return image
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as tv

    if min(image.shape[-2:]) != size:
        image = tv.resize(image, [size], InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)
    return tv.center_crop(image, [size, size])
