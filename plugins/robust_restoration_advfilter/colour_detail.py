"""Training images with finer colours, which JPEG has taken from them.

JPEG stores colour at half the resolution, so that the three channels of a photograph have the same
finest detail: what differs between them is an attack's noise. In images from elsewhere, or scaled
down, colours are as fine as brightness, and a purifier that has not seen this blurs it: the
NeurIPS-2017 images have 2.1/1000 of fine colour where 256-pixel JPEGs of ImageNet have 0.9.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError

from .changed_images import changed_images

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, which JPEG uses
DARK = 5  # of 255, added to both brightnesses, so that black stays calm


def with_colour_detail(
    data: LabelledImages, lowest: float, highest: float, *, seed: int
) -> LabelledImages:
    """Each image with finer colours by an amount of its own, evenly between two.

    Colours at half the resolution are multiplied by the ratio of the full brightness to the one
    at half the resolution, as satellite images are sharpened with a finer gray one (Gillespie et
    al., 1987, "Brovey transform").

    Args:
        data: The images; gray ones stay as they are.
        lowest: 0 for the image itself.
        highest: 1 for that ratio's image, 2 for twice the change.
        seed: Of the amounts.

    Returns:
        As many images, 8-bit again, with their labels.

    Raises:
        InputError: If the amounts are not in order, or below 0.
    """
    if not 0 <= lowest <= highest:
        raise InputError(
            f"colour_detail is ({lowest:g}, {highest:g}); expected a lowest amount of at "
            f"least 0 and "
            "a highest one not below it, such as (0, 2.5)."
        )
    if data.images.shape[1] != len(LUMA):
        return data
    draws = torch.rand(len(data), generator=torch.Generator().manual_seed(seed))
    amounts = lowest + (highest - lowest) * draws
    return changed_images(data, amounts, lambda images: _full_detail(images) - images)


def _full_detail(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMA, dtype=images.dtype).view(1, 3, 1, 1)
    brightness = (images * weights).sum(dim=1, keepdim=True)
    coarse = _coarse(images)
    before = (coarse * weights).sum(dim=1, keepdim=True)
    return coarse * (brightness + DARK) / (before + DARK)


def _coarse(images: Tensor) -> Tensor:
    halved = F.avg_pool2d(images, 2, ceil_mode=True, count_include_pad=False)
    height, width = images.shape[-2:]
    doubled = F.interpolate(halved, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., :height, :width]
