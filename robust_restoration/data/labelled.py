"""Labelled images: a set of them, and loading it from files, folders and names."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from robust_restoration.errors import DataError, InputError, NoLabelsError
from robust_restoration.images.files import read_image
from robust_restoration.images.folders import images_in
from robust_restoration.images.pixels import to_channels
from robust_restoration.numbers import check_count

from .class_folders import class_folders
from .mapped_images import read_alike
from .names import load_offered, offered_sets, understand

HASHED = 256  # images at a time
SPLITS = ("train", "val", "valid", "validation", "test")


@dataclass
class LabelledImages:
    """Images with class labels, all of one size.

    Attributes:
        images: (N, C, H, W) uint8; of more than a gigabyte read from a folder, mapped from a file
            in the cache folder.
        labels: (N,) int64.
        damaged: What could not be read, one sentence a file.
        name: What tables call it.
    """

    images: Tensor
    labels: Tensor
    damaged: list[str] = field(default_factory=list)
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no set of images with one label each."""
        both = isinstance(self.images, Tensor) and isinstance(self.labels, Tensor)
        if not both or self.images.dtype != torch.uint8 or self.labels.is_floating_point() or (
            self.images.ndim != 4 or self.labels.shape != self.images.shape[:1]
        ):
            kinds = [getattr(v, "dtype", type(v).__name__) for v in (self.images, self.labels)]
            shapes = [tuple(getattr(v, "shape", ())) for v in (self.images, self.labels)]
            raise InputError(
                f"images are {kinds[0]} of shape {shapes[0]} and labels {kinds[1]} of shape "
                f"{shapes[1]}; expected uint8 (N, C, H, W), as (255 * images).byte() gives of "
                "[0, 1], and whole numbers (N,)."
            )
        if self.labels.numel() and int(self.labels.min()) < 0:
            raise InputError(f"There is the label {int(self.labels.min())}; expected 0 or more.")

    def __len__(self) -> int:
        return len(self.labels)

    def check_classes(self, classes: int) -> None:
        """See that labels are those of a classifier, as far as they tell.

        Raises:
            InputError: If there is a label above its last class.
        """
        highest = int(self.labels.max()) if len(self) else 0
        if highest >= classes:
            raise InputError(
                f"{self.name or 'The data'} has the label {highest}, and the classifier has "
                f"{classes} classes; expected labels from 0 to {classes - 1}."
            )
        if 4 * highest < min(classes, len(self)):
            warnings.warn(
                f"{self.name or 'The data'} has labels from 0 to {highest}, and the classifier has "
                f"{classes} classes: folders of classes are numbered from 0 in alphabetical order. "
                "If the classifier numbers them otherwise, write labels.csv.",
                stacklevel=3,
            )

    def subset(self, indices: Tensor | slice) -> LabelledImages:
        """The images at ``indices``."""
        return LabelledImages(self.images[indices], self.labels[indices], name=self.name)

    def pixels(self, indices: Tensor | slice) -> Tensor:
        """(B, C, H, W) float32 in [0, 1]."""
        return self.images[indices].float() / 255

    def fingerprint(self, indices: Tensor | None = None) -> str:
        """A short hash of all images and labels, or of those at ``indices``, in that order."""
        if indices is None:
            indices = torch.arange(len(self))
        digest = hashlib.sha256(str((len(indices), *self.images.shape[1:])).encode())
        for part in indices.split(HASHED):
            digest.update(self.images[part].numpy().data)
        digest.update(self.labels[indices].numpy().data)
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
        data: The name of a data set, in any letter case, as ``"NAME:test"``
            (``robust-restoration datasets`` lists them); an ``.npz`` file with ``x``
            (N, H, W[, C]) uint8 and ``y`` (N,); or a folder with

            - ``labels.csv`` (columns ``file,label``, labels from 0),
            - the files or the table of a set as it is published, where a plugin knows them,
            - one subfolder a class, in alphabetical order.

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
        DataError: If nothing usable is there; says what is missing. `NoLabelsError` where there
            are images, but no labels.
        UnknownNameError: If there is no such name; names the nearest.
        InputError: If the set has splits and none is chosen, or sizes differ.
    """
    for option, value in (("limit", limit), ("size", size)):
        if value is not None:
            check_count(option, value)
    if isinstance(data, LabelledImages):
        return _adapted(data, size, channels, limit)
    meaning = understand(data, root)
    if split and meaning.split and split != meaning.split:
        raise InputError(f"{data} and split={split!r} contradict each other.")
    split = split or meaning.split
    if meaning.path is not None:
        return _from_path(meaning.path, size, channels, limit, split)
    made = load_offered(meaning.name, root, split, limit)
    if isinstance(made, str | Path):
        made = replace(_from_path(Path(made), size, channels, limit, None), name=meaning.name)
    if not isinstance(made, LabelledImages):
        raise NoLabelsError(f"{meaning.name} has no labels; expected a labelled data set.")
    return replace(_adapted(made, size, channels, limit), name=made.name or meaning.name)


def _adapted(
    data: LabelledImages, size: int | None, channels: int, limit: int | None
) -> LabelledImages:
    images = _stack(data.images[:limit], size, channels)
    return LabelledImages(images, data.labels[:limit], list(data.damaged), data.name)


def _from_path(
    path: Path, size: int | None, channels: int, limit: int | None, split: str | None
) -> LabelledImages:
    if split and (path / split).is_dir():
        found = _from_path(path / split, size, channels, limit, None)
        return replace(found, name=f"{path.name}:{split}")
    for _, target in offered_sets():
        made = target.recognise(path, split, limit) if hasattr(target, "recognise") else None
        if isinstance(made, list):
            return _from_listed(path, made[:limit], size, channels)
        if made is not None:
            name = f"{path.name}:{split}" if split else path.name
            name = name if path.is_dir() else made.name
            return replace(_adapted(made, size, channels, limit), name=name)
    listed = class_folders(path) if path.is_dir() and not split else []
    if listed:
        return _from_listed(path, listed[:limit], size, channels)
    if not path.is_dir():
        raise DataError(f"{path} is neither a folder nor an .npz file.")
    if split:
        raise DataError(f"{path} holds no split {split!r}.")
    splits = [inner for inner in SPLITS if (path / inner).is_dir()]
    without = f"{path} holds neither labels.csv nor one folder of images a class."
    if splits:
        choices = " or ".join(map(repr, splits))
        raise DataError(f"{without} It holds splits: give split={choices}.")
    if images_in(path):
        raise NoLabelsError(
            f"{without} It holds images without labels: put each class into a folder of its own, "
            "or write labels.csv with the columns file,label."
        )
    raise DataError(without)


def _from_listed(
    path: Path, listed: list[tuple[Path, int]], size: int | None, channels: int
) -> LabelledImages:
    def read(file: Path) -> Tensor:
        return (fit(read_image(file), size, channels) * 255).round().to(torch.uint8)

    files = [file for file, _ in listed]
    found = read_alike(files, read, path, f"size {size}, channels {channels}")
    labels = torch.tensor([label for _, label in listed])[found.kept]
    return LabelledImages(found.images, labels, found.damaged, path.name)


def _stack(images: Tensor, size: int | None, channels: int) -> Tensor:
    if images.shape[1] == channels and (size is None or images.shape[-2:] == (size, size)):
        return images.contiguous()
    fitted = [(fit(i.float() / 255, size, channels) * 255).round() for i in images]
    return torch.stack(fitted).to(torch.uint8)


def fit(image: Tensor, size: int | None, channels: int) -> Tensor:
    """An image (C, H, W) in [0, 1] of the expected channels, scaled and cropped to a square."""
    image = to_channels(image, channels)
    if size is None:
        return image
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as tv

    if min(image.shape[-2:]) != size:
        image = tv.resize(image, [size], InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)
    return tv.center_crop(image, [size, size])
