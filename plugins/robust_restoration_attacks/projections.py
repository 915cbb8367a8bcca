"""Exact projections of perturbations, each image by itself.

The nearest point of {zero mean} ∩ {|d|_2 <= radius} ∩ {low <= d <= high} to z is, by its optimality
conditions, ``clip((z - mu) / s, low, high)`` for one shift mu and one scale s >= 1 an image. Where
no bound is active both are closed forms. Else the set of pixels at a bound is guessed, mu and s are
closed forms for that set, and the guess is mended until it stands, in a handful of rounds; the rare
images where it does not settle are solved by bisection.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 30
HALVINGS = 60


def room(images: Tensor, bounds: tuple[float, float] = (0.0, 1.0)) -> tuple[Tensor, Tensor]:
    """How far each pixel may move: into the range, and where it is outside, no further out.

    Args:
        images: Any shape.
        bounds: The range.

    Returns:
        The lowest (at most 0) and the highest (at least 0) perturbation, shaped like ``images``.
    """
    return (bounds[0] - images).clamp(max=0), (bounds[1] - images).clamp(min=0)


def lengths(perturbation: Tensor) -> Tensor:
    """The L2 norm of each image's perturbation, shape (N, 1, 1, 1)."""
    norm = torch.linalg.vector_norm(perturbation.flatten(1).float(), dim=1)
    return norm.view(-1, *[1] * (perturbation.ndim - 1))


def project(
    perturbation: Tensor,
    *,
    radius: Tensor | float,
    low: Tensor | None = None,
    high: Tensor | None = None,
    zero_mean: bool = True,
) -> Tensor:
    """The nearest perturbation within an L2 ball, a box, and of zero mean, all at once.

    Args:
        perturbation: (N, C, H, W).
        radius: Largest L2 norm, a number or (N,).
        low: Lowest value of each pixel, at most 0, shaped like ``perturbation``; none without.
        high: Highest value of each pixel, at least 0.
        zero_mean: Whether the mean over all of C, H, W must be 0.

    Returns:
        (N, C, H, W), in the dtype of ``perturbation``.
    """
    z = perturbation.flatten(1).double()
    limit = torch.as_tensor(radius, dtype=z.dtype, device=z.device).expand(len(z))[:, None]
    centred = z - z.mean(1, keepdim=True) if zero_mean else z
    norm = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    # The hyperplane goes through the ball's centre, so one after the other is exact.
    found = centred * (limit / norm.clamp(min=1e-300)).clamp(max=1)
    if low is not None and high is not None:
        lowest, highest = low.flatten(1).double(), high.flatten(1).double()
        outside = ((found < lowest) | (found > highest)).any(1)
        if bool(outside.any()):
            if bool(outside.all()):
                found = _boxed(z, limit, lowest, highest, zero_mean)
            else:
                found[outside] = _boxed(
                    z[outside], limit[outside], lowest[outside], highest[outside], zero_mean
                )
    return found.to(perturbation.dtype).view_as(perturbation)


def _boxed(z: Tensor, radius: Tensor, low: Tensor, high: Tensor, zero_mean: bool) -> Tensor:
    """Guess which pixels are at a bound, solve for the others, mend the guess."""
    found, settled = torch.zeros_like(z), torch.zeros_like(radius, dtype=torch.bool)
    below, above = torch.zeros_like(z, dtype=torch.bool), torch.zeros_like(z, dtype=torch.bool)
    for _ in range(ROUNDS):
        free = ~(below | above)
        fixed = torch.where(below, low, 0.0) + torch.where(above, high, 0.0)
        count = free.sum(1, keepdim=True).clamp(min=1)
        mean = (z * free).sum(1, keepdim=True) / count if zero_mean else torch.zeros_like(radius)
        spread = ((z - mean).square() * free).sum(1, keepdim=True)
        rest = fixed.sum(1, keepdim=True) if zero_mean else torch.zeros_like(radius)
        left = radius.square() - fixed.square().sum(1, keepdim=True) - rest.square() / count
        solvable = left > 0
        scale = (spread / left.clamp(min=1e-300)).sqrt().clamp(min=1)
        candidate = (z - mean) / scale - rest / count
        now_below, now_above = candidate < low, candidate > high
        done = solvable & ((now_below == below) & (now_above == above)).all(1, keepdim=True)
        candidate = torch.maximum(torch.minimum(candidate, high), low)
        found = torch.where(done & ~settled, candidate, found)
        settled = settled | done
        below, above = now_below, now_above
        if bool(settled.all()):
            return found
    left_over = ~settled[:, 0]
    found[left_over] = _by_bisection(
        z[left_over], radius[left_over], low[left_over], high[left_over], zero_mean
    )
    return found


def _by_bisection(z: Tensor, radius: Tensor, low: Tensor, high: Tensor, zero_mean: bool) -> Tensor:
    """Bisection of the scale, and within it of the shift: slow, and always right."""

    def at(scale: Tensor) -> Tensor:
        shifted = z / scale
        if not zero_mean:
            return torch.maximum(torch.minimum(shifted, high), low)
        # At these shifts every pixel is at its highest, and at its lowest.
        least = (shifted - high).amin(1, keepdim=True)
        most = (shifted - low).amax(1, keepdim=True)
        for _ in range(HALVINGS):
            middle = (least + most) / 2
            clipped = torch.maximum(torch.minimum(shifted - middle, high), low)
            positive = clipped.sum(1, keepdim=True) > 0
            least = torch.where(positive, middle, least)
            most = torch.where(positive, most, middle)
        return torch.maximum(torch.minimum(shifted - (least + most) / 2, high), low)

    def size(perturbation: Tensor) -> Tensor:
        return torch.linalg.vector_norm(perturbation, dim=1, keepdim=True)

    one = torch.ones_like(radius)
    inside = size(at(one)) <= radius
    least, most = one, 2 * one
    while bool((~inside & (size(at(most)) > radius) & (most < 1e12)).any()):
        most = most * 4
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        long = size(at(middle)) > radius
        least, most = torch.where(long, middle, least), torch.where(long, most, middle)
    return torch.where(inside, at(one), at(most))
