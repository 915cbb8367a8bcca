"""The one pipeline that makes photographs various."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_advfilter.augmentation import photographic
from torch import Tensor


@pytest.fixture
def large(photographs: Tensor) -> Tensor:
    """(8, 3, 48, 48)."""
    tall = torch.cat([photographs, photographs.flip(-2)], dim=-2)
    wide = torch.cat([tall, tall.flip(-1)], dim=-1)[..., :48, :48]
    return wide.repeat(2, 1, 1, 1)


def test_squares_in_range_that_vary(large: Tensor) -> None:
    found = photographic(32)(large)
    assert found.shape == (8, 3, 32, 32)
    assert float(found.min()) >= -0.1
    assert float(found.max()) <= 1.1
    assert not torch.equal(found[:4], found[4:])  # the same four photographs twice


def test_depends_on_the_seed_alone(large: Tensor) -> None:
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(photographic(32)(large))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_says_what_it_does() -> None:
    """A cache of attacked images is named by it."""
    assert repr(photographic(32)) == repr(photographic(32))
    assert repr(photographic(32)) != repr(photographic(48))
