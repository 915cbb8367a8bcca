"""Denoisers and attacks that give what is no image, or change what they are given."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr

DENOISERS: dict[str, Callable[[Tensor], Any]] = {
    "in place": lambda x: x.mul_(0.5),
    "expected floating point": lambda x: (255 * x).int(),
    "torch.bool": lambda x: x > 0.5,
    "torch.complex64": lambda x: x + 1j,
    "keep the shape": lambda x: x[..., :4],
    "NaN": lambda x: x * math.nan,
    "NoneType": lambda x: None,
    "tuple": lambda x: (x, x),
}
ATTACKS: dict[str, Callable[[Any, Tensor, Tensor], Any]] = {
    "the inputs in place": lambda model, images, labels: images.add_(0.5),
    "the targets in place": lambda model, images, labels: images + labels.zero_(),
    "parameters in place": lambda model, images, _: images + model[1].weight.zero_()[0, 0],
    "(1, 1, 8, 4)": lambda model, images, labels: images[..., :4],
    "NoneType": lambda model, images, labels: None,
    "torch.int32": lambda model, images, labels: images.int(),
    "torch.complex64": lambda model, images, labels: images + 1j,
}


class Made(rr.Denoiser):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, noisy: Tensor, sigma: Any = None) -> Any:
        return self.function(noisy)


class Hostile(rr.Attack):
    norm = math.inf
    random = False

    def __init__(self, model: nn.Module, how: Callable[..., Any]) -> None:
        super().__init__("Hostile", model)
        self.eps, self.how = 0.1, how

    def forward(self, images: Tensor, labels: Tensor) -> Any:
        return self.how(self.model, images, labels)


@pytest.mark.parametrize("said", DENOISERS)
def test_denoisers_are_refused(said: str) -> None:
    with pytest.raises(rr.InputError, match=said):
        rr.restore(Made(DENOISERS[said]), torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize("said", ATTACKS)
def test_attacks_are_refused(said: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(rr.InputError) as error:
        Hostile(model, ATTACKS[said])(torch.rand(1, 1, 8, 8), torch.ones(1, dtype=torch.long))
    assert said in str(error.value)
