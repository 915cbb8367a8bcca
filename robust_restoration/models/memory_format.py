"""The memory format in which a network takes images: channels_last, which is faster, or not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robust_restoration.contracts import frozen


def memory_format(network: nn.Module, images: Tensor) -> torch.memory_format:
    """``channels_last``, unless the network views its features as rows, as ``x.view(len(x), -1)``.

    Args:
        network: Anything that takes images.
        images: (N, C, H, W) that it takes; the first is tried.
    """
    try:
        with torch.no_grad(), frozen(network):
            network(images[:1].contiguous(memory_format=torch.channels_last))
    except RuntimeError as error:
        if not forbids_channels_last(error):
            raise
        return torch.contiguous_format
    return torch.channels_last


def forbids_channels_last(error: RuntimeError) -> bool:
    """Whether an error is torch's of a view that the memory format does not allow."""
    return "view size is not compatible" in str(error)
