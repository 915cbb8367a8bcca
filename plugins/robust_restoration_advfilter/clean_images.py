"""The clean images that a purifier is trained on, from whatever they are given as."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from robust_restoration.data import LabelledImages, RestorationImages, load_images
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import input_channels, pretrained_cfg

USUAL_SIZE = 224


def as_bytes(images: LabelledImages | Tensor) -> Tensor:
    """Images of one size as (N, C, H, W) uint8; floating-point ones are in [0, 1]."""
    found = images.images if isinstance(images, LabelledImages) else images
    if found.ndim != 4:
        raise InputError(
            f"Images to train on have the shape {tuple(found.shape)}; expected (N, C, H, W)."
        )
    if found.is_floating_point():
        found = (found * 255).round().clamp(0, 255).to(torch.uint8)
    return found


def clean_images(
    data: LabelledImages | RestorationImages | Tensor | Path | str, classifier: nn.Module
) -> Tensor:
    """Images for a classifier, without labels.

    Args:
        data: Labelled images or (N, C, H, W), which are taken as they are; or images of any sizes,
            a folder, an image file or a data set's name. Those are scaled so that the shorter side
            is the classifier's, and cropped in the middle.
        classifier: Decides the channels and, by its ``pretrained_cfg``, the size; without one it
            is 224 pixels.

    Returns:
        (N, C, H, W) uint8.
    """
    if isinstance(data, LabelledImages | Tensor):
        return as_bytes(data)
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as tv

    size = int(pretrained_cfg(classifier).get("input_size", (USUAL_SIZE,))[-1])
    images = load_images(data, channels=input_channels(classifier))
    found = []
    for number in range(len(images)):
        image = images.image(number)
        if min(image.shape[-2:]) != size:
            image = tv.resize(image, [size], InterpolationMode.BICUBIC, antialias=True)
        found.append(tv.center_crop(image, [size, size]).clamp(0, 1))
    return as_bytes(torch.stack(found))
