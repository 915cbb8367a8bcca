"""What an attack has to beat: changes of the same size that know nothing of what is attacked.

For a non-blind DnCNN at sigma 25, 0.85 of the 1.02 dB that denoising-PGD took were plain energy; a
clamp to [0, 1] alone costs a blind one more than a decibel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from robust_restoration.degradations.draws import draws_of

CLAMP, ENERGY, DIRECTION, SIGN = "clamp only", "same energy", "random direction", "random sign"
CONTROLS = (CLAMP, ENERGY, DIRECTION, SIGN)


def control(
    name: str,
    attack: Any,
    inputs: Tensor,
    attacked: Tensor,
    clean: Tensor,
    *,
    seed: int,
    index: Sequence[int],
) -> Tensor:
    """The images of one control.

    Args:
        name: ``clamp only``: what the attack's limits alone make of its inputs; ``same energy``:
            the clean image plus Gaussian noise exactly as long as attacked - clean; ``random
            direction``: the inputs plus a random, zero-mean perturbation exactly as long as the
            attack's; ``random sign``: the inputs with each value moved up or down, at random, by
            as much as the attack moved any: random noise that uses an L-infinity budget up.
        attack: The attack.
        inputs: (N, C, H, W), what was attacked: noisy images, or a classifier's clean ones.
        attacked: (N, C, H, W), what the attack made of them.
        clean: (N, C, H, W).
        seed: Of random numbers.
        index: The images' numbers.

    Returns:
        (N, C, H, W).
    """
    if name == CLAMP:
        return attack.limit(inputs, inputs)
    draws = draws_of(len(inputs), seed=seed, index=index)
    rows = [torch.from_numpy(d.standard_normal(inputs.shape[1:], "float32")) for d in draws]
    direction = torch.stack(rows).to(inputs)
    if name == SIGN:
        return inputs + (attacked - inputs).abs().amax((1, 2, 3), keepdim=True) * direction.sign()
    if name == DIRECTION:
        direction = direction - direction.mean(dim=(1, 2, 3), keepdim=True)
    base, size = (clean, attacked - clean) if name == ENERGY else (inputs, attacked - inputs)
    length = size.flatten(1).norm(dim=1) / direction.flatten(1).norm(dim=1).clamp(min=1e-12)
    return base + length.view(-1, 1, 1, 1) * direction
