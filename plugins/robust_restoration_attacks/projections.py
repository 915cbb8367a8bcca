"""Exact projections of perturbations, each image by itself.

The nearest point of {zero mean} ∩ {|d|_2 <= radius} ∩ {low <= d <= high} to z is, by its optimality
conditions, ``clip((z - mu) / s, low, high)`` for one shift mu and one scale s >= 1 an image. Where
no bound is active both are closed forms. Else the set of pixels at a bound is guessed, mu and s are
closed forms for that set, and the guess is mended until it stands, in a handful of rounds; the rare
images where it does not settle are solved by bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from . import large

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
    about: Tensor | None = None,
    zero_mean: bool = True,
    overwrite: bool = False,
) -> Tensor:
    """The nearest perturbation within an L2 ball, a box, and of zero mean, all at once.

    Args:
        perturbation: (N, C, H, W).
        radius: Largest L2 norm, a number or (N,).
        low: Lowest value of each pixel, at most 0, shaped like ``perturbation``; none without.
        high: Highest value of each pixel, at least 0.
        about: In place of the two, the images (N, C, H, W) whose `room` they are: on large images
            a third of the memory.
        zero_mean: Whether the mean over all of C, H, W must be 0.
        overwrite: Whether the result takes the place of ``perturbation``, which spares large
            images a copy.

    Returns:
        (N, C, H, W), in the dtype of ``perturbation``.
    """
    z = perturbation.flatten(1)
    found = z if overwrite else torch.empty(z.shape, dtype=z.dtype, device=z.device)
    bounds: list[Any] = []
    if about is not None:
        bounds = [_Room(about.flatten(1), side) for side in (0, 1)]
    elif low is not None and high is not None:
        bounds = [low.flatten(1), high.flatten(1)]
    limit = torch.as_tensor(radius, dtype=torch.float64, device=z.device).expand(len(z))[:, None]
    mean = torch.zeros_like(limit)
    if zero_mean:
        mean = mean + sum(wide.sum(1, keepdim=True) for _, wide in _pieces(z)()) / z.shape[1]
    norms = [_length(wide - mean) for _, wide in _pieces(z)()]
    norm = norms[0] if len(norms) == 1 else _length(torch.cat(norms, 1))
    # The hyperplane goes through the ball's centre, so one after the other is exact.
    scale = (limit / norm.clamp(min=1e-300)).clamp(max=1)
    boxed, outside = None, torch.zeros(len(z), dtype=torch.bool, device=z.device)
    if bounds:
        beyond = [torch.empty(z.shape, dtype=torch.bool, device=z.device) for _ in bounds]
        for at, wide, lowest, highest in _pieces(z, *bounds)():
            nearest = (wide - mean) * scale
            beyond[0][at], beyond[1][at] = nearest < lowest, nearest > highest
        outside = beyond[0].any(1) | beyond[1].any(1)
        number = int(outside.sum())
        if number == len(z):
            boxed = _boxed(z, limit, bounds[0], bounds[1], beyond, zero_mean, found)
            return boxed.view_as(perturbation)
        if number:
            rows = [each[outside] for each in (z, limit, *bounds)]
            guess = [each[outside] for each in beyond]
            boxed = _boxed(rows[0], rows[1], rows[2], rows[3], guess, zero_mean, rows[0])
        del beyond
    for at, wide in _pieces(z)():
        found[at] = ((wide - mean) * scale).to(found.dtype)
    if boxed is not None:
        found[outside] = boxed
    return found.view_as(perturbation)


class _Room:
    """One side of the `room` of images (N, P), of what is asked for at a time."""

    def __init__(self, images: Tensor, side: int) -> None:
        self.images, self.side = images, side

    def __getitem__(self, at: Any) -> Tensor:
        return room(self.images[at])[self.side]


def _pieces(*images: Any) -> Callable[[], Iterable[tuple[Any, ...]]]:
    """(N, P) tensors piece by piece, in float64: again and again what is called for.

    Returns:
        What gives, for each piece, its place and that part of each of ``images``.
    """

    def pieces() -> Iterator[tuple[Any, ...]]:
        for begin in range(0, images[0].shape[1], large.PIECE):
            at = (slice(None), slice(begin, begin + large.PIECE))
            yield at, *(each[at].double() for each in images)

    if images[0].shape[1] > large.PIECE:
        return pieces
    once = list(pieces())
    return lambda: once


def _length(values: Tensor) -> Tensor:
    return torch.linalg.vector_norm(values, dim=1, keepdim=True)


def _clip(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(values, high), low)


def _boxed(
    z: Tensor,
    radius: Tensor,
    low: Any,
    high: Any,
    guess: list[Tensor],
    zero_mean: bool,
    found: Tensor,
) -> Tensor:
    """Guess which pixels are at a bound, solve for the others, mend the guess.

    The first guess, which is changed in place, is those that lie beyond it without the box.
    The result is written to ``found``, which may be ``z`` itself.
    """
    pieces = _pieces(z, low, high)
    below, above = guess
    settled = torch.zeros_like(radius, dtype=torch.bool)
    zero = torch.zeros_like(radius)
    solution: tuple[Tensor, ...] = (zero, zero, zero)
    for _ in range(ROUNDS):
        count, moment, rest, fixed_square, spread = zero.long(), zero, zero, zero, zero
        for at, wide, lowest, highest in pieces():
            free = ~(below[at] | above[at])
            fixed = torch.where(below[at], lowest, 0.0) + torch.where(above[at], highest, 0.0)
            count = count + free.sum(1, keepdim=True)
            fixed_square = fixed_square + fixed.square().sum(1, keepdim=True)
            if zero_mean:
                moment = moment + (wide * free).sum(1, keepdim=True)
                rest = rest + fixed.sum(1, keepdim=True)
        count = count.clamp(min=1)
        mean = moment / count
        for at, wide, _, _ in pieces():
            free = ~(below[at] | above[at])
            spread = spread + ((wide - mean).square() * free).sum(1, keepdim=True)
        left = radius.square() - fixed_square - rest.square() / count
        solvable = left > 0
        scale = (spread / left.clamp(min=1e-300)).sqrt().clamp(min=1)
        done = solvable
        for at, wide, lowest, highest in pieces():
            candidate = (wide - mean) / scale - rest / count
            now_below, now_above = candidate < lowest, candidate > highest
            same = (now_below == below[at]) & (now_above == above[at])
            done = done & same.all(1, keepdim=True)
            below[at], above[at] = now_below, now_above
        now = (mean, scale, rest / count)
        solution = tuple(
            torch.where(done & ~settled, new, old) for new, old in zip(now, solution, strict=True)
        )
        settled = settled | done
        if bool(settled.all()):
            break
    del below, above
    rows, halved = ~settled[:, 0], None
    if bool(rows.all()):
        return _by_bisection(z, radius, low, high, zero_mean, found)
    if bool(rows.any()):
        own = z[rows]
        halved = _by_bisection(own, radius[rows], low[rows], high[rows], zero_mean, own)
    mean, scale, shift = solution
    for at, wide, lowest, highest in pieces():
        found[at] = _clip((wide - mean) / scale - shift, lowest, highest).to(found.dtype)
    if halved is not None:
        found[rows] = halved
    return found


def _by_bisection(
    z: Tensor, radius: Tensor, low: Any, high: Any, zero_mean: bool, found: Tensor
) -> Tensor:
    """Bisection of the scale, and within it of the shift: slow, and always right.

    The result is written to ``found``, which may be ``z`` itself.
    """
    pieces = _pieces(z, low, high)

    def shift(scale: Tensor) -> Tensor:
        if not zero_mean:
            return torch.zeros_like(scale)
        # At these shifts every pixel is at its highest, and at its lowest.
        ends = [
            ((z / scale - high).amin(1, keepdim=True), (z / scale - low).amax(1, keepdim=True))
            for _, z, low, high in pieces()
        ]
        least = torch.cat([first for first, _ in ends], 1).amin(1, keepdim=True)
        most = torch.cat([last for _, last in ends], 1).amax(1, keepdim=True)
        for _ in range(HALVINGS):
            middle = (least + most) / 2
            total = torch.zeros_like(middle)
            for _, z, low, high in pieces():
                total = total + _clip(z / scale - middle, low, high).sum(1, keepdim=True)
            least = torch.where(total > 0, middle, least)
            most = torch.where(total > 0, most, middle)
        return (least + most) / 2

    def size(scale: Tensor) -> Tensor:
        moved = shift(scale)
        sizes = [_length(_clip(z / scale - moved, low, high)) for _, z, low, high in pieces()]
        return sizes[0] if len(sizes) == 1 else _length(torch.cat(sizes, 1))

    one = torch.ones_like(radius)
    inside = size(one) <= radius
    least, most = one, 2 * one
    while bool((~inside & (size(most) > radius) & (most < 1e12)).any()):
        most = most * 4
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        long = size(middle) > radius
        least, most = torch.where(long, middle, least), torch.where(long, most, middle)
    scale = torch.where(inside, one, most)
    moved = shift(scale)
    for at, wide, lowest, highest in pieces():
        found[at] = _clip(wide / scale - moved, lowest, highest).to(found.dtype)
    return found
