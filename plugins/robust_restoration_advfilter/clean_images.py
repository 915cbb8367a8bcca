"""The clean images that a purifier is trained on, from whatever they are given as."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.data import LabelledImages, RestorationImages, load_images
from robust_restoration.data.labelled import fit
from robust_restoration.data.mapped_images import read_alike
from robust_restoration.data.names import understand
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_images
from robust_restoration.images.files import read_image
from robust_restoration.images.folders import images_in
from robust_restoration.images.pixels import as_float, compact, to_channels
from robust_restoration.models.classifiers import input_channels, input_size

USUAL_SIZE = 224


def as_bytes(images: LabelledImages | Tensor) -> Tensor:
    """Images of one size as (N, C, H, W) uint8; floating-point ones are in [0, 1]."""
    found = images.images if isinstance(images, LabelledImages) else images
    if found.ndim != 4:
        raise InputError(
            f"Images to train on have the shape {tuple(found.shape)}; expected (N, C, H, W)."
        )
    if found.dtype != torch.uint8:
        check_images(found, "images", fix="images to train on are not normalised, or uint8")
        found = (found * 255).round().clamp(0, 255).to(torch.uint8)
    return found


def clean_images(data: Any, classifier: nn.Module, size: int | None = None) -> Tensor:
    """Images for a classifier, without labels.

    Args:
        data: Labelled images or (N, C, H, W), which are taken as they are; or images of any sizes,
            a folder, an image file, a data set's name, a list of (C, H, W), or a data set of torch
            that gives images, as tensors or of PIL, or tuples that begin with one. Those are
            scaled so that the shorter side is the classifier's, and cropped in the middle.
        classifier: Decides the channels and, by its ``pretrained_cfg``, the size; without one it
            is 224 pixels.
        size: The side that images of any size are brought to, in place of the classifier's.

    Returns:
        (N, C, H, W) uint8; of more than a gigabyte from a folder, mapped from a file in the cache
        folder.
    """
    if isinstance(data, LabelledImages | Tensor):
        return as_bytes(data)
    size = size or input_size(classifier) or USUAL_SIZE
    channels = input_channels(classifier)
    channels = channels if channels in (1, 3) else None
    folder = _folder(data)
    if folder is not None:
        return _of_files(images_in(folder), folder, size, channels)
    if not isinstance(data, str | Path | RestorationImages):
        data = _of_samples(data)
    images = load_images(data, channels=channels)
    return torch.stack([_square(images.image(number), size) for number in range(len(images))])


def _folder(data: Any) -> Path | None:
    """The folder of images that a user's word means, if it means one."""
    if not isinstance(data, str | Path):
        return None
    meaning = understand(data)
    if meaning.path is None:
        return None
    path = meaning.path / meaning.split if meaning.split else meaning.path
    return path if path.is_dir() and images_in(path) else None


def _of_files(files: list[Path], folder: Path, size: int, channels: int | None) -> Tensor:
    """Image files one by one, so that no more than one is in memory at its full size."""

    def read(file: Path) -> Tensor:
        image = compact(read_image(file))
        return _square(as_float(image if channels is None else to_channels(image, channels)), size)

    found = read_alike(files, read, folder, f"squares of {size}, channels {channels}")
    if found.damaged:
        warnings.warn(
            f"{len(found.damaged)} of {len(files)} files in {folder} are left out, such as: "
            f"{found.damaged[0]}",
            stacklevel=4,
        )
    return found.images


def _square(image: Tensor, size: int) -> Tensor:
    """The middle of an image (C, H, W) in [0, 1], uint8."""
    square = fit(image, size, len(image))
    return (square * 255).round().clamp(0, 255).to(torch.uint8)


def _of_samples(data: Any) -> list[Tensor]:
    """The images of a list, or of a data set of torch."""
    from torchvision.transforms.functional import to_tensor

    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise InputError(
            f"images is of type {type(data).__name__}; expected a tensor, a folder, a data set's "
            "name, or a data set with a length."
        )
    found = []
    for number in range(len(data)):
        sample = data[number]
        image = sample[0] if isinstance(sample, tuple | list) else sample
        if not isinstance(image, Tensor):
            try:
                image = to_tensor(image)
            except TypeError:
                raise InputError(
                    f"Sample {number} of the images is of type {type(image).__name__}; expected an "
                    "image (C, H, W), one of PIL, or a tuple that begins with one."
                ) from None
        found.append(image)
    return found
