"""What an attack has to beat: changes of the same size that know nothing of the denoiser.

For a non-blind DnCNN at sigma 25, 0.85 of the 1.02 dB that denoising-PGD took were plain energy; a
clamp to [0, 1] alone costs a blind one more than a decibel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from robust_restoration.degradations.draws import draws_of

CLAMP, ENERGY, DIRECTION = "clamp only", "same energy", "random direction"
CONTROLS = (CLAMP, ENERGY, DIRECTION)


def control(
    name: str,
    attack: Any,
    noisy: Tensor,
    attacked: Tensor,
    clean: Tensor,
    *,
    seed: int,
    index: Sequence[int],
) -> Tensor:
    """The images of one control.

    Args:
        name: ``clamp only``: what the attack's limits alone make of the noisy image; ``same
            energy``: the clean image plus Gaussian noise exactly as long as attacked - clean;
            ``random direction``: the noisy image plus a random, zero-mean perturbation exactly as
            long as the attack's.
        attack: The attack.
        noisy: (N, C, H, W).
        attacked: (N, C, H, W), what the attack made of it.
        clean: (N, C, H, W).
        seed: Of random numbers.
        index: The images' numbers.

    Returns:
        (N, C, H, W).
    """
    if name == CLAMP:
        limit = getattr(attack, "limit", None)
        return noisy if limit is None else limit(noisy, noisy)
    draws = draws_of(len(noisy), seed=seed, index=index)
    rows = [torch.from_numpy(d.standard_normal(noisy.shape[1:], "float32")) for d in draws]
    direction = torch.stack(rows).to(noisy)
    if name == DIRECTION:
        direction = direction - direction.mean(dim=(1, 2, 3), keepdim=True)
    base, size = (clean, attacked - clean) if name == ENERGY else (noisy, attacked - noisy)
    length = size.flatten(1).norm(dim=1) / direction.flatten(1).norm(dim=1).clamp(min=1e-12)
    return base + length.view(-1, 1, 1, 1) * direction
