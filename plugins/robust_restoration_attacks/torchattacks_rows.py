"""Attacks of torchattacks whose runs are independent image by image: made so over restarts too.

In torchattacks, APGD, FAB and Square seed the global generator, and each restart or target class
goes on with the images that are still right, so that what an image is given depends on the others.
Here the runs are the library's, and which images go into the next one, with whose random numbers,
is said to `only`. The squares of Square and the sizes of TI-FGSM are one for a whole batch there,
as in the papers' code; here they are one for a whole seed (`alike`). Jitter and JSMA take
for granted what need not be: one precision, ten classes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from robust_restoration.contracts.budgets import within
from robust_restoration.contracts.randomness import alike, only

from .torchattacks_table import NORMS


class _Restarted:
    """Runs over targets and restarts, each on the images that the ones before left."""

    multi_targeted = False

    @torch.no_grad()
    def perturb(self: Any, x: Tensor, y: Tensor, **options: Any) -> Any:
        """The original's ``perturb``: fooling images, and the others as they came."""
        if self.targeted:
            return self.original.perturb(self, x, y)
        adversarial, standing = x.clone(), self._right(x, y)
        classes = range(2, self.n_target_classes + 2) if self.multi_targeted else [None]
        for self.target_class in classes:
            for restart in range(self.n_restarts):
                rows = standing.nonzero()[:, 0]
                if not len(rows):
                    return adversarial
                with only(rows):
                    made = self.run_once(x[rows], y[rows], restart).to(x)
                    fooled = ~self._right(made, y[rows])
                adversarial[rows[fooled]] = made[fooled]
                standing[rows[fooled]] = False
        return adversarial

    def _right(self: Any, x: Tensor, y: Tensor) -> Tensor:
        right: Tensor = self.get_logits(x).argmax(dim=1) == y
        return right


class APGD(_Restarted):
    """Of the original's four results, the last is what fooled the model."""

    def perturb(self: Any, x: Tensor, y: Tensor, **options: Any) -> tuple[None, Tensor]:
        """As the original, which returns two things."""
        return None, super().perturb(x, y)

    def run_once(self: Any, x: Tensor, y: Tensor, restart: int) -> Tensor:
        """One restart."""
        found: Tensor = self.attack_single_run(x, y)[3]
        return found


class APGDT(APGD):
    """APGD, for each target class."""

    multi_targeted = True


class FAB(_Restarted):
    """It looks for the nearest wrong image; what is judged is what lies in the budget of it."""

    def run_once(self: Any, x: Tensor, y: Tensor, restart: int) -> Tensor:
        """One restart, the first of which begins at the image."""
        run = self.attack_single_run_targeted if self.multi_targeted else self.attack_single_run
        radius = torch.full((len(x),), float(self.eps)).to(x)
        return within(run(x, y, restart > 0).to(x), x, norm=NORMS[self.norm], radius=radius)


class Square(_Restarted):
    """Squares are drawn for a whole seed; stripes, which it begins with, an image."""

    def run_once(self: Any, x: Tensor, y: Tensor, restart: int) -> Tensor:
        """One restart."""
        self.init_hyperparam(x)
        found: Tensor = self.attack_single_run(x, y)[1]
        return found

    def random_choice(self: Any, shape: Any) -> Tensor:
        """Signs: (N, C, 1, W) at first, then (C, 1, 1) for all images."""
        if len(shape) == 4:
            return self.original.random_choice(self, shape)
        with alike():
            return self.original.random_choice(self, shape)

    def random_int(self: Any, *args: Any, **options: Any) -> Tensor:
        """A place, for all images."""
        with alike():
            return self.original.random_int(self, *args, **options)


class TIFGSM:
    """Each step's size and padding are those of the seed."""

    def input_diversity(self: Any, x: Tensor) -> Tensor:
        """The images, or a smaller copy on black."""
        with alike():
            return self.original.input_diversity(self, x)


class Jitter:
    """Its loss compares logits, also in float64, with labels in float32: older torch cannot."""

    def forward(self: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        """The original's."""
        with _OnePrecision():
            return super().forward(inputs, targets)  # type: ignore[misc]


class JSMA:
    """Where no target is given it takes the next of ten classes, of which there may be fewer."""

    def perturbation_single(self: Any, image: Tensor, target: Tensor) -> Tensor:
        """The original's, towards a class that the classifier has."""
        if not self.targeted:
            target = target % self.get_logits(image).shape[1]
        made: Tensor = self.original.perturbation_single(self, image, target)
        return made


class _OnePrecision(TorchFunctionMode):
    """Inside, squared errors are taken in the precision of what is compared, not of both."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.mse_loss:
            args = (args[0], args[1].to(args[0].dtype), *args[2:])
        return func(*args, **(kwargs or {}))


ROWS: dict[str, type] = {
    "apgd": APGD,
    "apgdt": APGDT,
    "fab": FAB,
    "jitter": Jitter,
    "jsma": JSMA,
    "square": Square,
    "tifgsm": TIFGSM,
}
