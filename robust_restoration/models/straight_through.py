"""The straight-through estimate, for what gives no gradient, or none that leads anywhere."""

from __future__ import annotations

from torch import Tensor


def straight_through(output: Tensor, images: Tensor) -> Tensor:
    """``output``, with the gradient of ``images``: as if it were the identity of them.

    Backward pass differentiable approximation (Athalye et al., arXiv:1802.00420). The values are
    those of ``output``, to the last bit.

    Args:
        output: (N, C, H, W), what was made of ``images``; its own gradient is dropped.
        images: (N, C, H, W).
    """
    if not images.requires_grad:
        return output.detach()
    return output.detach() + (images - images.detach())  # zero, but has the images' gradient
