"""Training images with noise of their own, as cameras leave it.

A purifier that has seen clean images without noise tells attacked ones by their noise, whatever it
is like, and takes every noisy photograph for an attacked one. With noise on both it has to learn
what the attack's is like.
"""

from __future__ import annotations

import torch

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError

from .changed_images import changed_images


def with_camera_noise(data: LabelledImages, highest: float, *, seed: int) -> LabelledImages:
    """Each image with Gaussian noise, by a level of its own, evenly between 0 and ``highest``.

    Args:
        data: The images.
        highest: The largest standard deviation, as a fraction of the range.
        seed: Of levels and noise.

    Returns:
        As many images, 8-bit again, with their labels.

    Raises:
        InputError: If highest is below 0.
    """
    if not highest >= 0:
        raise InputError(f"camera_noise is {highest:g}; expected at least 0, such as 1.5 / 255.")
    generator = torch.Generator().manual_seed(seed)
    levels = 255 * highest * torch.rand(len(data), generator=generator, dtype=torch.float64)
    return changed_images(
        data,
        levels,
        lambda images: torch.randn(images.shape, generator=generator, dtype=torch.float64),
    )
