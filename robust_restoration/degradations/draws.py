"""The random numbers of an image: they depend on a seed and the image's number alone.

Neither on the batch the image is in, nor on the device, nor on the dtype: they are drawn on the
CPU in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count

Draw = np.random.Generator


def draws_of(
    count: int,
    *,
    seed: int | None = None,
    generator: Generator | None = None,
    index: int | Sequence[int] = 0,
) -> list[Draw]:
    """A source of random numbers for each of ``count`` images.

    Args:
        count: How many images there are.
        seed: An image's source is given by the seed and its number.
        generator: Where a seed is drawn from instead, one number a call; with neither, it is
            torch's global generator.
        index: The first image's number, the others following; or one number an image.

    Raises:
        InputError: If there are both a seed and a generator, or another number of indices.
    """
    if seed is not None and generator is not None:
        raise InputError("Both seed and generator are given; expected one of them, or none.")
    if seed is None:
        device = "cpu" if generator is None else generator.device
        seed = int(torch.randint(2**62, (), generator=generator, device=device))
    check_count("seed", seed, at_least=0)
    # Here, since the contracts' own module imports this one.
    from robust_restoration.contracts.randomness import numbers_of

    numbers = numbers_of(count, index)
    return [np.random.default_rng([seed, number]) for number in numbers]


def normal(draw: Draw, image: Tensor) -> np.ndarray[Any, Any]:
    """Standard normal numbers in the shape of an image, float32."""
    return draw.standard_normal(tuple(image.shape), dtype=np.float32)


def uniform(draw: Draw, image: Tensor) -> np.ndarray[Any, Any]:
    """Numbers drawn evenly between 0 and 1 in the shape of an image, float32."""
    return draw.random(tuple(image.shape), dtype=np.float32)


def like(image: Tensor, values: np.ndarray[Any, Any]) -> Tensor:
    """``values`` as a tensor in the image's dtype and on its device."""
    return torch.from_numpy(values).to(image)
