"""The attack inside a training step."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from robust_restoration.contracts import Attack, Batch, Denoiser, unwrapped
from robust_restoration.models.create import create_attack, list_attacks
from robust_restoration.numbers import check_level, check_positive


def one_step(clip: Any) -> dict[str, Any]:
    """One step of full length, as the ObsAtk paper trains (section 4.2).

    Where the noisy images of training are not clipped, neither is the attack; where they are, it is
    clamped as in the paper's released code.
    """
    return {"steps": 1, "clip": None if clip is None else "paper"}


class InnerAttack:
    """Makes the attacked images of a batch, by any registered attack on denoisers.

    The denoiser is in eval mode meanwhile, as in the ObsAtk paper's released code: in train mode
    batch norm couples the images of a batch, and the attack is weaker.

    Args:
        name: The attack's name.
        eps: Its budget.
        options: Its further options; by default `one_step` for ``obsatk``, and the attack's own
            defaults for others.
        clip: What the defense does to noisy images that leave the range.

    Raises:
        InputError: If there is no such attack, or the budget is not a fraction of [0, 1].
    """

    def __init__(
        self, name: str, eps: float, options: dict[str, Any] | None, clip: Any = None
    ) -> None:
        check_positive("eps", check_level("eps", eps), "the inner attack's budget")
        if name not in list_attacks():
            create_attack(name, nn.Identity())  # says what there is instead
        self.name, self.eps = name, eps
        self.options = (one_step(clip) if name == "obsatk" else {}) if options is None else options

    def __call__(self, model: nn.Module, batch: Batch, **more: Any) -> Tensor:
        """Attack a batch's ``noisy`` images.

        Args:
            model: The denoiser, wrapped for several processes or not.
            batch: With ``noisy`` and ``clean``, and ``sigma`` where the level is known.
            **more: Passed to the attack's call.

        Returns:
            (B, C, H, W), without gradients.
        """
        inner = unwrapped(model)
        conditioned = isinstance(inner, Denoiser) and not inner.blind
        where = {"sigma": batch["sigma"]} if conditioned and "sigma" in batch else {}
        attack: Attack = create_attack(
            self.name, inner, **{"eps": self.eps, **where, **self.options}
        )
        attacked: Tensor = attack(batch["noisy"], batch["clean"], **more)
        return attacked
