"""What denoisers that are trained on the one noisy image have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def training_on_one_image(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Gradients on, also within inference mode; random numbers of ``seed``; the rest undisturbed.

    Yields:
        A generator on the CPU, for what is drawn besides the network's first weights.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        torch.random.fork_rng(),
    ):
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


def one_by_one(images: Tensor, restore: Callable[[Tensor], Tensor]) -> Tensor:
    """Restores each image, given as (1, C, H, W) in float32, by itself; in the images' own type."""
    with torch.inference_mode(False):
        plain = images.detach().clone().float()
        restored = [restore(plain[i : i + 1]) for i in range(len(plain))]
        return torch.cat(restored).to(images.dtype)
