"""One pipeline of changes that make photographs as various as cameras and resizers do.

What tells an attack from a photograph is its finest grain, and how much of that is clean differs
from camera to camera, resizer to resizer and file format to file format. A purifier trained on one
source of images takes the grain of another for an attack.
"""

from __future__ import annotations

from torch import nn


def photographic(size: int) -> nn.Module:
    """Random crop and scale, mirror image, softer or sharper, sensor noise, JPEG, colours.

    Args:
        size: The side of the squares that come out; images have at least this side.

    Returns:
        A module from (N, 3, H, W) in [0, 1] to (N, 3, size, size); about a third of the images
        keep their grain as it is.
    """
    import kornia.augmentation as K

    return nn.Sequential(
        K.RandomResizedCrop((size, size), scale=(0.4, 1.0), ratio=(1.0, 1.0), p=0.3),
        K.RandomCrop((size, size)),
        K.RandomHorizontalFlip(p=0.5),
        K.ColorJiggle(0.15, 0.15, 0.2, 0.0, p=0.3),
        K.RandomSharpness((0.3, 1.0), p=0.25),
        K.RandomGaussianBlur((3, 3), (0.3, 0.8), p=0.15),
        K.RandomGaussianNoise(0.0, 1.2 / 255, p=0.2),
        K.RandomJPEG((70.0, 98.0), p=0.15),
    )
