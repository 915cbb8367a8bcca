"""Noise at the rim of the Gaussian's typical set, in one draw instead of a hundred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import chi2
from torch import Generator, Tensor

from robust_restoration.errors import InputError


def sample_typical_tail(
    shape: Sequence[int],
    sigma: float | Tensor,
    *,
    k: int = 100,
    generator: Generator | None = None,
) -> Tensor:
    """What Algorithm 3.1 of the typical-set paper draws, with a cost that does not depend on K.

    The algorithm keeps, of K + 1 draws of N(0, sigma^2 I), the least likely one. As the density
    falls with the norm alone, that is the longest, whose direction is still uniform: so it is a
    uniform direction with radius^2 = sigma^2 times the largest of K + 1 draws of chi^2_d, which is
    the quantile at U^(1/(K+1)) of a uniform U.

    Args:
        shape: (B, ...); each of the B is a sample of d values.
        sigma: The Gaussian's standard deviation, a number or (B,), as a fraction of [0, 1].
        k: K of the algorithm, which the paper does not print. 100 is our inference: with d = 1600
            the level comes to about 26.1 for sigma 25.
        generator: Where all random numbers come from, on the CPU.

    Returns:
        (B, ...), float32.

    Raises:
        InputError: If k is below 1, or the shape has no values.
    """
    count = shape[0]
    values = int(np.prod(shape[1:]))
    if k < 1 or values < 1:
        raise InputError(
            f"k is {k} and the shape {tuple(shape)}; expected k of at least 1, values."
        )
    direction = torch.randn(count, values, generator=generator)
    direction = direction / direction.norm(dim=1, keepdim=True)
    uniform = torch.rand(count, generator=generator, dtype=torch.float64)
    # 1 - U^(1/(K+1)) straight from the logarithm: so near 1 the difference would lose its digits.
    tail = -np.expm1(np.log(uniform.clamp(min=1e-300).numpy()) / (k + 1))
    radius = torch.from_numpy(np.sqrt(chi2.isf(tail, values))).float()
    level = torch.as_tensor(sigma, dtype=torch.float32).expand(count)
    return (direction * (radius * level)[:, None]).view(*shape)


def typical_tail_by_loop(
    shape: Sequence[int], sigma: float, *, k: int = 100, generator: Generator | None = None
) -> Tensor:
    """Algorithm 3.1 as it is printed: the reference for `sample_typical_tail`."""
    kept = sigma * torch.randn(*shape, generator=generator)
    for _ in range(k):
        other = sigma * torch.randn(*shape, generator=generator)
        less_likely = other.flatten(1).norm(dim=1) > kept.flatten(1).norm(dim=1)
        kept = torch.where(less_likely.view(-1, *[1] * (len(shape) - 1)), other, kept)
    return kept
