"""The worst of several attacks, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.errors import InputError
from robust_restoration.models.create import create_attack
from robust_restoration.numbers import check_count

from .denoiser_attack import DenoiserAttack
from .large import choose
from .projections import lengths

Word = str | tuple[str, dict[str, Any]] | Attack


class WorstCase(DenoiserAttack):
    """Runs attacks and their restarts, and keeps for each image what is restored worst.

    With the squared error as the loss that is the lowest PSNR, without clamping of the output.

    Args:
        model: The denoiser.
        attacks: Names, (name, options) pairs, or attacks.
        restarts: How often an attack that begins at random is run, each time with another seed.
        eps: The budget, passed to each attack that is given by name without one of its own.
        **options: As `DenoiserAttack` takes them; passed to each attack given by name.

    Raises:
        InputError: If there is no attack.

    Example:
        >>> worst = WorstCase(denoiser, attacks=["obsatk_auto", ("obsatk", {"steps": 50})])
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        attacks: Sequence[Word] = ("obsatk_auto", "obsatk"),
        restarts: int = 1,
        eps: float | Tensor = 5 / 255,
        **options: Any,
    ) -> None:
        super().__init__(model, eps=eps, **options)
        check_count("restarts", restarts)
        if not attacks or isinstance(attacks, str):
            raise InputError(f"attacks is {attacks!r}; expected a list of attacks, at least one.")
        self.members = []
        for word in attacks:
            if isinstance(word, Attack):
                self.members.append(word)
                continue
            name, own = (word, {}) if isinstance(word, str) else word
            self.members.append(create_attack(name, model, **{"eps": eps, **options, **own}))
        self.restarts = restarts
        self.random = any(member.random for member in self.members)

    def run(
        self, images: Tensor, targets: Tensor | None, numbers: list[int], *args: Any, **kw: Any
    ) -> Tensor:
        """The attack; see the class."""
        assert targets is not None  # `check` sees to it
        worst, lowest = images, self.evaluate(images, targets)
        for member in self.members:
            first = self.seed if member.seed is None else member.seed
            for number in range(self.restarts if member.random else 1):
                again = copy(member)
                again.seed = None if first is None else first + number
                attacked = again(images, targets, index=numbers)
                value = self.evaluate(attacked, targets)
                worst = choose(value > lowest, attacked, worst)
                del attacked  # of a large image no more is kept than must be
                lowest = torch.maximum(value, lowest)
        return worst

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """The nearest image within the budget of one of the members."""
        nearest = self.members[0].limit(attacked, inputs)
        for member in self.members[1:]:
            other = member.limit(attacked, inputs)
            closer = lengths(other - attacked) < lengths(nearest - attacked)
            nearest = torch.where(closer, other, nearest)
        return nearest
