"""TRADES (Zhang et al., arXiv:1901.08573)."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.contracts import Batch, Step
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import with_unit_range
from robust_restoration.numbers import is_number

from .madry import Madry


class TRADES(Madry):
    """Minimises CE(f(x), y) + beta KL(f(x) || f(x')), x' being where the two differ most (eq. 5).

    Args:
        beta: Weight of the second term; 6 in the paper.
        attack: The inner attack's name; torchattacks' TPGD maximises the second term.
        **options: As `Madry` takes them, but for ``mix``.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self, *, beta: float = 6.0, attack: str = "torchattacks/tpgd", **options: Any
    ) -> None:
        if "mix" in options:
            raise InputError("trades takes all of a batch, clean and attacked; leave mix out.")
        super().__init__(attack=attack, **options)
        if not is_number(beta) or beta < 0:
            raise InputError(
                f"beta is {beta!r}; expected the weight of the second term, 0 or more."
            )
        self.beta = beta

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and its two terms."""
        images, labels = batch["images"], batch["labels"]
        attacked = self.attacked(model, images, labels)
        whole = with_unit_range(model)
        clean, under = whole(images), whole(attacked)
        fit = F.cross_entropy(clean, labels)
        apart = F.kl_div(
            under.log_softmax(1), clean.log_softmax(1), reduction="batchmean", log_target=True
        )
        return fit + self.beta * apart, {
            "fit": float(fit.detach()), "apart": float(apart.detach())
        }
