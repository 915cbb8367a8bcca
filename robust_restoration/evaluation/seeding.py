"""Random numbers that depend on a seed and an image's number, whatever draws them."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int, number: int, purpose: str, device: torch.device) -> Iterator[None]:
    """Seed torch, numpy and Python inside, and put their states back after.

    Args:
        seed: The evaluation's.
        number: The image's.
        purpose: What the numbers are for, so that an attack and what it attacks draw different
            ones.
        device: Where torch draws, besides the processor.
    """
    words = np.random.SeedSequence([seed, number, zlib.crc32(purpose.encode())]).generate_state(3)
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
        np.random.seed(int(words[2]))  # noqa: NPY002 - what other people's code draws from
        random.seed(int(words[2]))
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
