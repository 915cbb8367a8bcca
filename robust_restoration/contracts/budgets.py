"""Budgets of perturbations: how large one is in a norm, and bringing it back within.

Every function treats each image of a batch by itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_level

NORMS = (math.inf, 2.0, 1.0, 0.0)
NARROW = (torch.float16, torch.bfloat16)


def check_norm(norm: object, owner: str) -> None:
    """Raise an `InputError` unless ``norm`` is infinity, 2, 1, 0 or ``None``."""
    if norm is not None and norm not in NORMS:
        raise InputError(
            f"{owner}.norm is {norm!r}; expected a number: math.inf, 2.0, 1.0, 0.0, or None where "
            "no norm limits the perturbation."
        )


def check_eps(eps: object, norm: float | None) -> None:
    """Check a budget; numbers alone are looked at, not tensors.

    Raises:
        InputError: If it is not a number of at least 0, or above 1 where that limits each value.
    """
    if eps is not None and not isinstance(eps, Tensor):
        check_level("eps", eps, highest=1.0 if norm == math.inf else math.inf)


def size(perturbation: Tensor, norm: float) -> Tensor:
    """How large the perturbation of each image is.

    Args:
        perturbation: (N, C, H, W).
        norm: ``math.inf``, 2, 1, or 0, which counts changed pixels, all channels of one together.

    Returns:
        (N,), in the dtype of ``perturbation``.
    """
    if norm == 0:
        return (perturbation != 0).any(1).flatten(1).sum(1).to(perturbation.dtype)
    return torch.linalg.vector_norm(perturbation.flatten(1), ord=norm, dim=1)


def in_range(attacked: Tensor, inputs: Tensor, bounds: tuple[float, float]) -> Tensor:
    """``attacked`` within the range; a pixel of ``inputs`` outside it may go no further out."""
    low, high = bounds
    kept = attacked.clamp(min=inputs.clamp(max=low))
    return kept.clamp_(max=inputs.clamp(min=high))


def within(
    attacked: Tensor,
    inputs: Tensor,
    *,
    norm: float | None,
    radius: Tensor | None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Tensor:
    """Bring attacked images back into a budget and a range about the inputs.

    Args:
        attacked: (N, C, H, W).
        inputs: (N, C, H, W).
        norm: As `size` takes it; ``None`` for no budget.
        radius: The largest size of each image's perturbation, (N,); ``None`` for no budget.
        bounds: The range; ``None`` for none.

    Returns:
        (N, C, H, W); what is within both already is left as it is, to the bit.
    """
    if bounds is not None:
        attacked = in_range(attacked, inputs, bounds)
    if norm is None or radius is None:
        return attacked
    nearest = _nearest(attacked, inputs, norm, radius.to(inputs).view(-1, 1, 1, 1))
    if nearest is attacked or bounds is None:
        return nearest
    del attacked  # large images are spared every copy that can be
    return in_range(nearest, inputs, bounds)


def _nearest(attacked: Tensor, inputs: Tensor, norm: float, limit: Tensor) -> Tensor:
    """``attacked`` itself where all of it is within the limit, else the nearest that is."""
    delta = attacked - inputs
    length = delta.abs() if norm == math.inf else size(delta, norm).view(-1, 1, 1, 1)
    outside = length > limit
    if not bool(outside.any()):
        return attacked
    if norm == math.inf:
        del length
        delta.clamp_(-limit, limit)
    elif norm == 2:
        delta *= limit / length.clamp(min=1e-30)
    elif norm == 1:
        delta = _l1(delta, limit)
    else:
        delta = _largest(delta, limit)
    return torch.where(outside, delta.add_(inputs), attacked)


def _l1(delta: Tensor, limit: Tensor) -> Tensor:
    """The nearest point of the L1 ball: soft thresholding (Duchi et al., ICML 2008)."""
    magnitude = delta.abs().flatten(1)
    ordered, _ = magnitude.sort(dim=1, descending=True)
    excess = ordered.cumsum(1) - limit.flatten(1)
    count = torch.arange(1, ordered.shape[1] + 1, device=delta.device, dtype=delta.dtype)
    kept = (ordered * count > excess).sum(1, keepdim=True).clamp(min=1)
    threshold = excess.gather(1, kept - 1) / kept
    shrunk = (magnitude - threshold.clamp(min=0)).clamp(min=0)
    return shrunk.view_as(delta) * delta.sign()


def _largest(delta: Tensor, limit: Tensor) -> Tensor:
    """The changes of the pixels that change most, as many as the limit says."""
    change = delta.square().sum(1).flatten(1)
    rank = change.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    kept = (rank < limit.flatten(1)).view(len(delta), 1, *delta.shape[2:])
    return delta * kept


def rounded(attacked: Tensor, inputs: Tensor) -> Tensor:
    """``attacked`` in the dtype of ``inputs``; a narrow dtype is rounded towards the inputs.

    So no pixel's change grows, and a budget that held before holds after, in every norm.
    """
    result = attacked.to(inputs.dtype)
    if inputs.dtype not in NARROW:
        return result
    exact, origin = attacked.double(), inputs.double()
    further = (result.double() - origin).abs() > (exact - origin).abs()
    return torch.where(further, torch.nextafter(result, inputs), result)
