"""Where a mean lies: of shares by Wilson, of anything else by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from robust_restoration.errors import InputError

LEVEL = 0.95
RESAMPLES = 2000
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


class Interval(NamedTuple):
    """A mean, and where it lies with 95 %."""

    mean: float
    low: float
    high: float


def share(successes: int, count: int) -> Interval:
    """A share with its interval of 95 %, which has a width at 0 and at 1 too.

    Wilson's (Journal of the American Statistical Association, 1927), which Brown, Cai and DasGupta
    (Statistical Science, 2001) recommend.

    Args:
        successes: How many of the count.
        count: At least 1.

    Raises:
        InputError: If the counts are impossible.
    """
    if not (count >= 1 and 0 <= successes <= count):
        raise InputError(
            f"There are {successes} successes of {count}; expected 0 to all of at least one."
        )
    from scipy.stats import binomtest

    found = binomtest(successes, count).proportion_ci(LEVEL, method="wilson")
    return Interval(successes / count, float(found.low), float(found.high))


def of_mean(values: Sequence[float], metric: str, seed: int = 0) -> Interval:
    """The mean of a metric over images: accuracy's as a share, others' by the bootstrap."""
    if metric.endswith("accuracy") and set(values) <= {0.0, 1.0}:
        return share(int(sum(values)), len(values))
    return _bootstrap(values, seed)


def of_difference(values: Sequence[float], metric: str, seed: int = 0) -> Interval:
    """The mean of paired differences: of accuracies by Agresti and Min, else by the bootstrap.

    Their interval (Statistics in Medicine, 2005) adds half an image to each way of differing, so
    that it has a width also where no image differs.
    """
    if not metric.endswith("accuracy") or not set(values) <= {-1.0, 0.0, 1.0}:
        return _bootstrap(values, seed)
    more, less = (sum(v == sign for v in values) + 0.5 for sign in (1, -1))
    count = len(values) + 2
    middle = (more - less) / count
    half = Z * math.sqrt(more + less - (more - less) ** 2 / count) / count
    mean = sum(values) / len(values)
    return Interval(mean, max(middle - half, -1.0), min(middle + half, 1.0))


def _bootstrap(values: Sequence[float], seed: int) -> Interval:
    """The bootstrap over images; seeded, so that the same figures have the same interval."""
    array, count = np.asarray(values, dtype=float), len(values)
    generator, at_once = np.random.default_rng(seed), max(1, 2**20 // count)  # in bounded memory
    shapes = [(min(at_once, RESAMPLES - n), count) for n in range(0, RESAMPLES, at_once)]
    means = np.concatenate([array[generator.integers(0, count, s)].mean(1) for s in shapes])
    return Interval(float(array.mean()), *map(float, np.quantile(means, [0.025, 0.975])))
