"""The worst of several attacks, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.errors import InputError
from robust_restoration.models.create import create_attack

from .denoiser_attack import DenoiserAttack

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
        if not attacks or restarts < 1 or isinstance(attacks, str):
            raise InputError(
                f"attacks is {attacks!r} and restarts {restarts}; expected a list of attacks, "
                f"and at "
                "least one run of each."
            )
        self.members = []
        for word in attacks:
            if isinstance(word, Attack):
                self.members.append(word)
                continue
            name, own = (word, {}) if isinstance(word, str) else word
            self.members.append(create_attack(name, model, **{"eps": eps, **options, **own}))
        self.restarts = restarts
        self.random = any(getattr(member, "random", True) for member in self.members)

    def forward(self, inputs: Tensor, targets: Tensor, index: int = 0) -> Tensor:
        """The attack; see the class."""
        worst, lowest = inputs, self.evaluate(inputs, targets)
        for member in self.members:
            random = getattr(member, "random", True)
            seed = getattr(member, "seed", None)
            for run in range(self.restarts if random else 1):
                if seed is not None:
                    member.seed = seed + run
                try:
                    where = {"index": index} if isinstance(member, DenoiserAttack) else {}
                    attacked = member(inputs, targets, **where)
                finally:
                    if seed is not None:
                        member.seed = seed
                found = self.evaluate(attacked, targets)
                better = (found > lowest).view(-1, 1, 1, 1)
                worst = torch.where(better, attacked, worst)
                lowest = torch.maximum(found, lowest)
        return worst

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """Within the range; budgets are the members' own affair."""
        return self.in_range(attacked, inputs)
