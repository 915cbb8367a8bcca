"""The clean images that a purifier is trained on, from whatever they are given as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.data import LabelledImages, RestorationImages, load_images
from robust_restoration.data.labelled import fit
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_images
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
        (N, C, H, W) uint8.
    """
    if isinstance(data, LabelledImages | Tensor):
        return as_bytes(data)
    size = size or input_size(classifier) or USUAL_SIZE
    if not isinstance(data, str | Path | RestorationImages):
        data = _of_samples(data)
    channels = input_channels(classifier)
    images = load_images(data, channels=channels if channels in (1, 3) else None)
    squares = []
    for number in range(len(images)):
        image = images.image(number)
        squares.append(fit(image, size, len(image)))
    return as_bytes(torch.stack(squares))


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
