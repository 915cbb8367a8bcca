"""The precision that the transforms compute in, whatever the images' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def full_precision(images: Tensor) -> Iterator[Tensor]:
    """The images in float32, or in float64 if they are that, with autocast off inside.

    A filter that rounds to half precision would change more than the perturbations it is to
    remove: at 1/2, neighbouring bfloat16 values are 1/256 apart.
    """
    with torch.autocast(images.device.type, enabled=False):
        yield images.to(torch.promote_types(images.dtype, torch.float32))
