"""ObsAtk with adaptive steps: no step size to choose, the best iterate kept."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count

from .large import choose, give_back, strips, wide
from .obsatk import ObsAtk
from .projections import lengths

ENOUGH = 0.75  # of the steps since a checkpoint must raise the loss


class ObsAtkAuto(ObsAtk):
    """`ObsAtk`'s problem, solved further: the attack to report in evaluations.

    As APGD does for classifiers (Croce and Hein, arXiv:2003.01690): steps begin as long as the
    ball is wide, carry momentum, and are halved, image by image, at checkpoints where too few of
    the last steps raised the loss, or the best loss stands still; the best iterate is then taken
    up again. Five plain steps of 0.3 eps, which the ObsAtk paper's tables take, are far from
    converged.

    Args:
        model: The denoiser.
        eps: Root mean square of the perturbation.
        steps: Gradient calls of a run; a last forward pass comes on top.
        restarts: Runs. The first begins at the noisy image; further ones at a random perturbation,
            and the best of all is kept.
        momentum: Share of the former step in the next.
        **options: As `ObsAtk` takes them, but for ``alpha``.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Tensor = 5 / 255,
        steps: int = 50,
        restarts: int = 1,
        momentum: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(model, eps=eps, steps=steps, **options)
        check_count("restarts", restarts)
        if not 0 <= momentum < 1:
            raise InputError(f"momentum is {momentum}; expected a number from 0 to below 1.")
        if self.clip == "paper":
            raise InputError("clip='paper' is for plain obsatk; expected 'project' or None.")
        self.restarts, self.momentum = restarts, momentum
        self.random = restarts > 1

    def forward(
        self, inputs: Tensor, targets: Tensor, gradient: Tensor | None = None
    ) -> Tensor:
        """The attack; see the class."""
        best, highest = self._run(inputs, targets)
        for _ in range(1, self.restarts):
            found, value = self._run(inputs, targets, random_start=True)
            best = choose(value > highest, found, best)
            del found
            highest = torch.maximum(highest, value)
        return self.add(inputs, best)

    def direction(self, gradient: Tensor) -> Tensor:
        """Where a step of length one goes, in the place of the gradient, (N, C, H, W)."""
        return gradient.div_(lengths(gradient).clamp(min=1e-30))

    def _run(
        self, inputs: Tensor, targets: Tensor, *, random_start: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The best perturbation of one run, and its loss (N,).

        Large images are why tensors are changed in place and dropped at once: beside the images
        and the clean ones no more than six of their size are there together.
        """
        if random_start:
            now = self.within(torch.randn_like(inputs) * self.budget(inputs), inputs)
        else:
            now = torch.zeros_like(inputs)
        step = 2 * wide(self.radius(inputs))
        value, gradient = self.gradient(inputs, targets, now)
        best, highest, ascent, last = now, value, gradient, now
        rises, former = torch.zeros_like(value), value
        mark, halved = highest, torch.zeros_like(value, dtype=torch.bool)
        checkpoints, passed = _checkpoints(self.steps), 0
        for number in range(1, self.steps + 1):
            shared = gradient is ascent or 0 in gradient.stride()  # as that of a sum is
            aim = self.direction(gradient.clone() if shared else gradient)
            del gradient
            aim = self.within(aim.mul_(step).to(now).add_(now), inputs)
            if number > 1:
                aim.sub_(now).mul_(1 - self.momentum).add_(now)
                for part, new, old in zip(*map(strips, (aim, now, last)), strict=True):
                    part.add_((new - old).mul_(self.momentum))
                aim = self.within(aim, inputs)
            last, now = now, aim
            del aim
            if number == self.steps:
                break
            give_back(now)
            value, gradient = self.gradient(inputs, targets, now)
            rises, former = rises + (value > former), value
            further = value > highest
            best, ascent = choose(further, now, best), choose(further, gradient, ascent)
            highest = torch.maximum(highest, value)
            if number in checkpoints:
                halved = (rises < ENOUGH * (number - passed)) | (~halved & (highest <= mark))
                mark, rises, passed = highest, torch.zeros_like(rises), number
                step = torch.where(wide(halved), step / 2, step)
                now, last = choose(halved, best, now), choose(halved, best, last)
                gradient = choose(halved, ascent, gradient)
        del ascent, last
        value = self.evaluate(inputs + now, targets)  # nobody needs the last gradient
        return choose(value > highest, now, best), torch.maximum(highest, value)


def _checkpoints(steps: int) -> set[int]:
    """The steps at which progress is judged: ever closer, as in APGD."""
    marks, gap = [0.22], 0.22
    while marks[-1] < 1:
        gap = max(gap - 0.03, 0.06)
        marks.append(marks[-1] + gap)
    return {math.ceil(mark * steps) for mark in marks}
