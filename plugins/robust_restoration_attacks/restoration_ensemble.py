"""One standard ensemble for restoration: different attacks in one budget, the worst counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count

from .denoiser_attack import DenoiserAttack
from .denoising_pgd_auto import DenoisingPGDAuto
from .low_frequency import LowFrequency
from .obsatk_auto import ObsAtkAuto
from .random_squares import RandomSquares
from .worst_case import WorstCase

VERSIONS = ("1",)


class RestorationEnsemble(WorstCase):
    """The worst of six attacks, image by image, by what is maximised.

    Figures of one version can be compared with each other; what changes a figure gets a new one.
    Version 1, all within |d|_2 <= eps sqrt(m):

    - ``zero mean``: `ObsAtkAuto`, the ObsAtk paper's problem;
    - ``any mean``: the same without the constraint on the mean, from the noisy image and from a
      random start;
    - ``each value``: `DenoisingPGDAuto` with |d|_inf <= eps, which lies in the L2 ball;
    - ``smooth``: `LowFrequency`, frequencies up to a quarter of the highest, any mean;
    - ``towards another``: pulls the restored image to another one, the clean image mirrored left to
      right, by `ObsAtkAuto` steps; left out where ``loss`` is given, as targets are then no images;
    - ``black box``: `RandomSquares` with |d|_inf <= eps.

    After a call `calls` says what each member asked of the model, and `won` which one each image is
    of, ``"none"`` where no attack did any harm.

    Args:
        model: The denoiser. One that says ``differentiable = False`` is attacked through the
            straight-through estimate, and by the black box.
        eps: Root mean square of the perturbation.
        version: ``"1"``.
        steps: Gradient calls of a run of each member.
        queries: Of the black box.
        **options: As `DenoiserAttack` takes them; ``clip="paper"`` is not one of them.

    Raises:
        InputError: If an option makes no sense.

    Example:
        >>> attacked = RestorationEnsemble(denoiser, eps=5 / 255)(noisy, clean)
    """

    norm = 2.0

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Tensor = 5 / 255,
        version: str | int = "1",
        steps: int = 50,
        queries: int = 100,
        **options: Any,
    ) -> None:
        if str(version) not in VERSIONS:
            raise InputError(f"version is {version!r}; expected {' or '.join(VERSIONS)}.")
        shared = {"eps": eps, **options}
        check_count("steps", steps)
        adaptive = {**shared, "steps": steps}
        members: dict[str, DenoiserAttack] = {
            "zero mean": ObsAtkAuto(model, **adaptive),
            "any mean": ObsAtkAuto(model, zero_mean=False, restarts=2, **adaptive),
            "each value": DenoisingPGDAuto(model, **adaptive),
            "smooth": LowFrequency(model, zero_mean=False, **adaptive),
            "black box": RandomSquares(model, queries=queries, **shared),
        }
        if options.get("loss") is None:
            pull = {**adaptive, "loss": towards_mirrored}
            members["towards another"] = ObsAtkAuto(model, zero_mean=False, **pull)
        super().__init__(model, attacks=list(members.values()), eps=eps, **options)
        self.version, self.named = str(version), members
        self.calls: dict[str, dict[str, int]] = {}
        self.won: list[str] = []

    def radius(self, inputs: Tensor) -> Tensor:
        """The largest L2 norm of each image's perturbation, (N,)."""
        return self.budget(inputs).flatten() * inputs[0].numel() ** 0.5

    def run(
        self, images: Tensor, targets: Tensor | None, numbers: list[int], *args: Any, **kw: Any
    ) -> Tensor:
        """The attack; see the class."""
        assert targets is not None  # `check` sees to it
        worst, highest = images, self.evaluate(images, targets)
        won, calls = ["none"] * len(images), {}
        for name, member in self.named.items():
            again = copy(member)
            again.seed = self.seed
            with counted(self.models()) as count:
                attacked = again(images, targets, index=numbers)
            calls[name] = count(len(images))
            value = self.evaluate(attacked, targets)
            better = value > highest
            worst = torch.where(better.view(-1, 1, 1, 1), attacked, worst)
            highest = torch.maximum(value, highest)
            won = [name if new else old for new, old in zip(better.tolist(), won, strict=True)]
        self.calls, self.won = calls, won
        return worst


def towards_mirrored(restored: Tensor, clean: Tensor) -> Tensor:
    """Minus the squared distance to the clean image mirrored left to right, (N,)."""
    return -(restored - clean.flip(-1)).square().flatten(1).sum(1)


@contextmanager
def counted(models: list[Any]) -> Iterator[Callable[[int], dict[str, int]]]:
    """Inside, calls of modules are counted.

    Yields:
        A function of the number of images: calls an image, ``gradients`` and ``queries`` without.
    """
    found = {"gradients": 0, "queries": 0}

    def note(module: nn.Module, args: tuple[Any, ...]) -> None:
        traced = bool(args) and isinstance(args[0], Tensor) and args[0].requires_grad
        found["gradients" if traced else "queries"] += len(args[0]) if args else 0

    modules = {id(model): model for model in models if isinstance(model, nn.Module)}
    handles = [model.register_forward_pre_hook(note) for model in modules.values()]
    try:
        yield lambda images: {kind: -(-total // images) for kind, total in found.items()}
    finally:
        for handle in handles:
            handle.remove()
