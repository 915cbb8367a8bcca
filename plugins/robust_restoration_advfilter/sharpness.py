"""Training images made softer and sharper, as cameras and resizers make them.

How fine an image's grain is depends on its way through cameras, JPEG and resizers as much as on an
attack. A purifier that has seen one data set's grain takes the sharper images of another for
attacked ones: trained on ImageNet photographs of 256 pixels, ours cost 2 points of accuracy on
their like, and 7 on the NeurIPS-2017 images, whose noise level, as `noise_level` sees it, is 0.51
instead of 0.37 when clean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError

from .changed_images import changed_images


def with_sharpness(
    data: LabelledImages, lowest: float, highest: float, *, seed: int
) -> LabelledImages:
    """Each image made softer or sharper by an amount of its own, evenly between two.

    Args:
        data: The images.
        lowest: -1 for a blur by (1 2 1)/4 in both directions, 0 for the image itself.
        highest: 1 adds what that blur would take away.
        seed: Of the amounts.

    Returns:
        As many images, 8-bit again, with their labels.

    Raises:
        InputError: If the amounts are not in order, or below -1.
    """
    if not -1 <= lowest <= highest:
        raise InputError(
            f"sharpness is ({lowest:g}, {highest:g}); expected a lowest amount of at least -1 "
            f"and a "
            "highest one not below it, such as (-0.5, 1)."
        )
    draws = torch.rand(len(data), generator=torch.Generator().manual_seed(seed))
    amounts = lowest + (highest - lowest) * draws
    return changed_images(data, amounts, lambda images: images - _blurred(images))


def _blurred(images: Tensor) -> Tensor:
    line = torch.tensor([1.0, 2.0, 1.0], dtype=images.dtype) / 4
    channels = images.shape[1]
    kernel = torch.outer(line, line).expand(channels, 1, 3, 3)
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel, groups=channels)
