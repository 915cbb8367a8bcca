"""Typical-set training: some of the noise is drawn from the rim of the Gaussian's typical set."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from robust_restoration.contracts import Batch
from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count, check_fraction

from .standard import Standard
from .typical_set_sampling import sample_typical_tail

SHARES = {"pres": 1 / 3, "def": 1 / 2}


class TypicalSet(Standard):
    """TS-Pres and TS-Def: training with atypical noise mixed in (typical-set paper, 3.5.1).

    The atypical noise comes of Algorithm 3.1: of K + 1 Gaussian draws the least likely is kept,
    which is drawn here in one go, equal in law.

    Args:
        variant: ``"pres"``: Gaussian and atypical noise 2 : 1, which keeps the quality on Gaussian
            noise; ``"def"``: 1 : 1, which defends more.
        k: K of Algorithm 3.1. The paper does not print it; 100 is our inference from the length of
            the noise that it reports.
        share: The share of atypical noise, instead of the variant's.
        sigma: The level, or the lowest and the highest; 25/255 in the paper.
        **options: As `DenoisingDefense` takes them, but for ``noise``.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self,
        *,
        variant: str = "def",
        k: int = 100,
        share: float | None = None,
        sigma: Any = 25 / 255,
        **options: Any,
    ) -> None:
        super().__init__(sigma=sigma, **options)
        if variant not in SHARES:
            raise InputError(f"variant is {variant!r}; expected 'pres' or 'def'.")
        if self.noise is not None:
            raise InputError("typical_set has noise of its own; leave noise out.")
        self.share = check_fraction("share", SHARES[variant] if share is None else share)
        self.k = check_count("k", k)

    def corrupt(self, clean: Tensor, generator: Generator) -> Batch:
        """Gaussian noise, and atypical noise on a share of the images; see the base class."""
        batch = super().corrupt(clean, generator)
        count = round(self.share * len(clean))
        if count:
            chosen = torch.randperm(len(clean), generator=generator)[:count]
            noise = sample_typical_tail(
                (count, *clean.shape[1:]), batch["sigma"][chosen], k=self.k, generator=generator
            )
            batch["noisy"][chosen] = clean[chosen] + noise
        return batch
