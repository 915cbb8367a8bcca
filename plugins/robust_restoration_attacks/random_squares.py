"""An attack on denoisers that takes no gradient: squares at random, kept where they hurt."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.numbers import check_count, check_fraction

from .denoiser_attack import DenoiserAttack

# Square's schedule: the window's share of the image is halved at these shares of all queries.
HALVED = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


class RandomSquares(DenoiserAttack):
    """Square for denoisers (Andriushchenko et al., arXiv:1912.00049), |d|_inf <= eps.

    It begins with stripes of +eps or -eps, a column a value, then sets ever smaller squares at
    random places to one of the two, and keeps what raises the loss. It asks for restored images
    alone: a check that gradients are not merely hidden, and an attack on what has none.

    Args:
        model: The denoiser.
        eps: Largest change of a value, as a fraction of [0, 1].
        queries: Images that are restored, an image.
        share: The first squares' share of the image.
        **options: As `DenoiserAttack` takes them.

    Raises:
        InputError: If an option makes no sense.
    """

    norm = math.inf
    random = True
    differentiates = False

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Tensor = 5 / 255,
        queries: int = 100,
        share: float = 0.8,
        **options: Any,
    ) -> None:
        super().__init__(model, eps=eps, **options)
        self.queries = check_count("queries", queries)
        self.share = check_fraction("share", share, above=0)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The attack; see the class."""
        count, channels, height, width = inputs.shape
        eps = self.budget(inputs).to(inputs)
        best = torch.zeros_like(inputs)
        highest = self.evaluate(self.add(inputs, best), targets)
        rows = torch.arange(height, device=inputs.device).view(1, 1, -1, 1)
        columns = torch.arange(width, device=inputs.device).view(1, 1, 1, -1)
        for number in range(self.queries):
            if number == 0:
                stripes = torch.rand(count, channels, 1, width).to(inputs)
                tried = torch.where(stripes < 0.5, -eps, eps).expand_as(inputs)
            else:
                halved = sum(number >= mark * self.queries for mark in HALVED)
                side = math.sqrt(self.share * 0.5**halved * height * width)
                side = max(1, min(round(side), height, width))
                place = torch.rand(count, 2).to(inputs)
                sign = torch.rand(count, channels).to(inputs).view(count, channels, 1, 1)
                top = (place[:, 0] * (height - side + 1)).floor().view(-1, 1, 1, 1)
                left = (place[:, 1] * (width - side + 1)).floor().view(-1, 1, 1, 1)
                inside = (rows >= top) & (rows < top + side)
                inside = inside & (columns >= left) & (columns < left + side)
                tried = torch.where(inside, torch.where(sign < 0.5, -eps, eps), best)
            value = self.evaluate(self.add(inputs, tried), targets)
            better = (value > highest).view(-1, 1, 1, 1)
            best, highest = torch.where(better, tried, best), torch.maximum(value, highest)
        return self.add(inputs, best)
