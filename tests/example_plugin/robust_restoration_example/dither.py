"""A purifier: rounding with dither."""

import torch

from robust_restoration import Purifier


class Dither(Purifier):
    """Adds uniform noise as wide as a step, then rounds to ``levels`` levels.

    Args:
        levels: How many values a channel keeps, at least 2.
    """

    random = True
    differentiable = False

    def __init__(self, *, levels=16):
        super().__init__()
        self.steps = levels - 1

    def forward(self, images):
        """Purify ``images``, (N, C, H, W) in [0, 1]."""
        noise = torch.rand_like(images) - 0.5
        return ((images * self.steps + noise).round() / self.steps).clamp(0, 1)
