"""What processes that train one model exchange: its weights at first, then their gradients.

Torch's own wrapper for this follows calls of the whole model alone and hides its methods and parts,
which a defense's loss may call.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import nn


@torch.no_grad()
def begin_alike(model: nn.Module) -> None:
    """Give every process the weights and buffers of the first.

    From here on each keeps its own buffers, such as batch norm's: sent around before every forward
    pass, they would change under a loss that takes two.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.copy_(broadcast(tensor.detach().contiguous()))


@torch.no_grad()
def average_gradients(trained: Sequence[nn.Parameter], accelerator: Accelerator) -> None:
    """Give every process the mean of all gradients, 0 for those that one of them has not.

    What no process has a gradient of is left without, as in a single process.
    """
    device = accelerator.device
    has = torch.tensor([float(p.grad is not None) for p in trained], device=device)
    somewhere = accelerator.reduce(has, "sum").tolist()
    trained = [p for p, count in zip(trained, somewhere, strict=True) if count]
    if not trained:
        return
    own = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in trained]
    mean = accelerator.reduce(torch.cat(own), "mean").split([len(g) for g in own])
    for parameter, gradient in zip(trained, mean, strict=True):
        # In the weights' own order of memory, which optimizers and fused kernels expect.
        parameter.grad = torch.empty_like(parameter).copy_(gradient.view(parameter.shape))
