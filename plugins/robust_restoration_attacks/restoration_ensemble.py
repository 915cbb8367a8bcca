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
from .large import choose, strips
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
            pull = {**adaptive, "loss": TowardsMirrored()}
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
        names, calls = list(self.named), {}
        won = torch.full((len(images),), -1)  # -1 where none did any harm
        # The one that restarts goes first, while there is no worst image to keep beside its own.
        for name in sorted(names, key=lambda name: -getattr(self.named[name], "restarts", 1)):
            again, place = copy(self.named[name]), names.index(name)
            again.seed = self.seed
            with counted(self.models()) as count:
                attacked = again(images, targets, index=numbers)
            calls[name] = count(len(images))
            value = self.evaluate(attacked, targets)
            # Of two that do the same harm the one that is named first counts.
            better = (value > highest) | ((value == highest) & (won.to(value.device) > place))
            worst = choose(better, attacked, worst)
            del attacked  # of a large image no more is kept than must be
            highest = torch.maximum(value, highest)
            won[better.cpu()] = place
        self.calls = {name: calls[name] for name in names}
        self.won = ["none" if place < 0 else names[place] for place in won.tolist()]
        return worst


class TowardsMirrored:
    """Minus the squared distance to the clean image mirrored left to right, (N,)."""

    def __call__(self, restored: Tensor, clean: Tensor) -> Tensor:
        """The loss of restored images, (N, C, H, W)."""
        if restored.requires_grad:
            return -(restored - clean.flip(-1)).square().flatten(1).sum(1)
        return self.overwriting(restored.clone(), clean)

    def overwriting(self, restored: Tensor, clean: Tensor) -> Tensor:
        """The same without a gradient, in the place of the restored images."""
        away = restored.to(torch.promote_types(restored.dtype, clean.dtype))
        for part, there in zip(strips(away), strips(clean), strict=True):
            part.sub_(there.flip(-1))
        return -away.square_().flatten(1).sum(1)

    def parts(self, clean: Tensor) -> Callable[[Tensor, Any], Tensor]:
        """The same of a part of restored images, given with its place."""

        def part(restored: Tensor, place: Any) -> Tensor:
            *above, columns = place
            if columns is ...:
                return self(restored, clean)
            start, stop, _ = columns.indices(clean.shape[-1])
            mirrored = slice(clean.shape[-1] - stop, clean.shape[-1] - start)
            return self(restored, clean[(*above, mirrored)])

        return part


@contextmanager
def counted(models: list[Any]) -> Iterator[Callable[[int], dict[str, int]]]:
    """Inside, calls of modules are counted.

    Yields:
        A function of the number of images: calls an image, ``gradients`` and ``queries`` without.
    """
    found = {"gradients": 0, "queries": 0}

    def note(module: nn.Module, args: tuple[Any, ...], more: dict[str, Any]) -> None:
        given = [value for value in (*args, *more.values()) if isinstance(value, Tensor)]
        traced = any(value.requires_grad for value in given)
        found["gradients" if traced else "queries"] += len(args[0]) if args else 0

    modules = {id(model): model for model in models if isinstance(model, nn.Module)}
    handles = [m.register_forward_pre_hook(note, with_kwargs=True) for m in modules.values()]
    try:
        yield lambda images: {kind: -(-total // images) for kind, total in found.items()}
    finally:
        for handle in handles:
            handle.remove()
