"""A share of an image's pixels, chosen at random."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from robust_restoration.degradations.draws import Draw


def chosen_pixels(draw: Draw, share: float, image: Tensor) -> Tensor:
    """(1, H, W), true at a share of the pixels, rounded to whole pixels."""
    height, width = image.shape[1:]
    chosen = np.zeros(height * width, dtype=bool)
    count = round(share * len(chosen))
    chosen[draw.choice(len(chosen), count, replace=False, shuffle=False)] = True
    return torch.from_numpy(chosen.reshape(1, height, width)).to(image.device)
