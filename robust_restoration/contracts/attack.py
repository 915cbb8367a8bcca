"""What an attack must be, and what its base sees to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from copy import copy
from io import StringIO
from typing import Any

import torch
import torchattacks.attack
from torch import Tensor, nn

from robust_restoration.errors import InputError, check_type
from robust_restoration.images.checks import (
    check_device,
    check_layout,
    check_made,
    check_one_each,
)
from robust_restoration.numbers import check_count

from .budgets import NARROW, check_eps, check_norm, rounded, within
from .freezing import fitted, frozen, ordinary, version
from .randomness import GlobalState, PerImage, numbers_of, seeded


class Attack(torchattacks.attack.Attack):
    """Base of the attacks: a torchattacks ``Attack`` that says what it does, and keeps to it.

    Called as ``attack(inputs, targets)``; ``targets`` are labels (N,) or clean images
    (N, C, H, W). Returns attacked inputs of the same shape, dtype and device. A subclass declares
    what is below, writes `forward`, and `radius` or `limit` where its budget is measured in
    another way. `__call__` sees to the rest: whatever `forward` returns is brought back into the
    budget and the range; ``eps=0`` gives the input back bit for bit; half precision is attacked
    in float32 and rounded towards the input; the model's modes and flags and the global random
    states are as before afterwards, also when something raises.

    Random numbers: draw them from torch. Those of an image depend on ``seed`` and the image's
    number alone, neither on the batch it is in nor on what ran before.

    Attributes:
        norm: In which norm ``eps`` limits the perturbation of each image: ``math.inf``, 2.0, 1.0,
            0.0 (changed pixels); ``None`` where no norm does.
        eps: The budget, a number or (N,) with one for each image; ``None`` without one.
        bounds: The range of the results, which a pixel outside it may not leave further; or
            ``None``.
        random: Whether it draws random numbers.
        differentiates: Whether it takes gradients of the model.
        rowwise: Whether the images of a batch do not influence each other, but for drawn numbers.
            If not, they are attacked one by one.
        seed: Of the random numbers. ``None`` takes a seed from torch's global generator at each
            call of a random attack.
    """

    norm: float | None = None
    eps: float | Tensor | None = None
    bounds: tuple[float, float] | None = (0.0, 1.0)
    random: bool = True
    differentiates: bool = True
    rowwise: bool = True
    seed: int | None = None

    def __init__(self, name: str, model: Any) -> None:
        with redirect_stdout(StringIO()):  # it prints where a model has no parameters
            super().__init__(name, model)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "index" in inspect.signature(cls.forward).parameters:
            raise InputError(
                f"{cls.__name__}.forward takes 'index', as in version 0.1: leave it out, and draw "
                "from torch, whose numbers __call__ makes depend on the seed and the image."
            )

    def __call__(
        self,
        inputs: Tensor,
        targets: Tensor | None = None,
        *args: Any,
        index: int | Sequence[int] = 0,
        **kw: Any,
    ) -> Tensor:
        """Attack ``inputs``; see the class for shapes.

        Args:
            inputs: (N, C, H, W), N at least 1.
            targets: Labels or clean images, one an image.
            *args: Passed to `forward`.
            index: The number of the first image, the others following; or one number an image.
            **kw: Passed to `forward`.

        Raises:
            InputError: If the inputs, the targets or the budget cannot be worked with.
        """
        # Also for a caller under no_grad: leaving inference mode turns gradients on.
        with torch.inference_mode(False), ExitStack() as stack:
            inputs, targets = ordinary(inputs), ordinary(targets)
            self.check(inputs, targets)
            numbers = numbers_of(len(inputs), index)
            normalized = self._normalization_applied is True  # torchattacks' own option
            images = self.inverse_normalize(inputs) if normalized else inputs
            radius = self.radius(images)
            still = None if radius is None else (radius == 0).view(-1, 1, 1, 1)
            nothing = isinstance(self.eps, int | float) and self.eps == 0
            if nothing or (still is not None and bool(still.all())):
                return inputs.clone()
            for model in self.models():
                stack.enter_context(frozen(model))
                stack.enter_context(fitted(model, images))
            self.device = images.device
            if self._model_training:  # set_model_training_mode: train mode is asked for
                self._change_model_mode(True)
            if normalized:
                self._set_normalization_applied(False)
                stack.callback(self._set_normalization_applied, True)
            narrow = images.dtype in NARROW
            wide = (images.float() if narrow else images).contiguous()
            if narrow and targets is not None and targets.dtype == images.dtype:
                targets = targets.float()
            args = tuple(map(ordinary, args))
            kw = {name: ordinary(value) for name, value in kw.items()}
            given = [("inputs", inputs), ("targets", targets)]
            for model in self.models():
                if isinstance(model, nn.Module):
                    given += [("model's parameters", p) for p in model.parameters()]
            before = [version(value) for _, value in given]
            attacked = self.run(wide, targets, numbers, *args, **kw)
            hint = "expected attacked images of that shape"
            check_made(attacked, wide, type(self).__name__, hint)
            for (what, value), former in zip(given, before, strict=True):
                if version(value) != former:
                    raise InputError(
                        f"{type(self).__name__} changes the {what} in place: its forward is to "
                        "work on a copy. They are as it left them; load them again."
                    )
            attacked = attacked.detach()
            exact = images.double() if narrow else images
            attacked = self.limit(attacked.to(exact), exact)
            if still is not None and bool(still.any()):
                attacked = torch.where(still, exact, attacked)
            attacked = rounded(attacked, images)
            if normalized:
                attacked = self.normalize(attacked).to(inputs.dtype)
            return attacked.clone() if attacked.data_ptr() == inputs.data_ptr() else attacked

    def run(
        self, images: Tensor, targets: Tensor | None, numbers: list[int], *args: Any, **kw: Any
    ) -> Tensor:
        """`forward`, the numbers that each image draws given by the seed and its own number.

        Args:
            images: (N, C, H, W), of at least float32.
            targets: One an image.
            numbers: The number of each image.
            *args: Passed to `forward`.
            **kw: Passed to `forward`; tensors with a row an image are split where images are.
        """
        seed = self.seed
        if seed is None:
            seed = int(torch.randint(2**62, ())) if self.random else 0
        if self.rowwise:
            before = GlobalState(images.device)
            try:
                with PerImage(seed, numbers):
                    attacked: Tensor = self.forward(images, targets, *args, **kw)
                if before.unchanged():
                    return attacked
            finally:
                if not before.unchanged():
                    before.restore()
            self.rowwise = False  # it drew from a global generator: numbers of a whole batch
        rows = []
        for row, number in enumerate(numbers):

            def cut(value: Any, row: int = row) -> Any:
                split = isinstance(value, Tensor) and value.shape[:1] == images.shape[:1]
                return value[row : row + 1] if split else value

            part = self.part(cut)
            more = {name: cut(value) for name, value in kw.items()}
            with seeded(seed, number, images.device), PerImage(seed, [number]):
                rows.append(part.forward(cut(images), cut(targets), *map(cut, args), **more))
        return torch.cat(rows)

    def part(self, cut: Callable[[Any], Any]) -> Attack:
        """This attack for one image of a batch; ``cut`` takes its row of what has one an image."""
        part = copy(self)
        part.eps = cut(self.eps)
        return part

    def models(self) -> list[Any]:
        """What is frozen during an attack: the model, and others that it runs."""
        return [self.model]

    def radius(self, inputs: Tensor) -> Tensor | None:
        """The largest size of each image's perturbation in `norm`, (N,); ``eps`` by default."""
        if self.norm is None or self.eps is None:
            return None
        eps = torch.as_tensor(self.eps, dtype=torch.float64, device=inputs.device)
        return eps.expand(len(inputs))

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """Bring ``attacked`` back into the declared budget and range about ``inputs``."""
        return within(
            attacked,
            inputs,
            norm=self.norm,
            radius=self.radius(inputs),
            bounds=self.bounds,
        )

    def check(self, inputs: Tensor, targets: Tensor | None) -> None:
        """Check what an attack is called with; a subclass may ask for more.

        Raises:
            InputError: With what came, what is expected, and what would fix it.
        """
        name = type(self).__name__
        check_layout(inputs, "inputs")
        check_type("targets", targets, Tensor | None, "a torch tensor")
        if targets is not None and targets.shape[:1] != inputs.shape[:1]:
            raise InputError(
                f"{name} got {len(inputs)} inputs and {targets.shape[:1].numel()} targets: "
                "expected one target an input."
            )
        if self.seed is not None:
            check_count("seed", self.seed, at_least=0)
        check_norm(self.norm, name)
        check_eps(self.eps, self.norm)
        if isinstance(self.eps, Tensor):
            check_one_each("eps", self.eps, len(inputs))
        if isinstance(self.model, nn.Module):
            check_device(inputs, "inputs", self.model, "model")

    def __setattr__(self, name: str, value: Any) -> None:
        # torchattacks compares every value ever set with ==, which fails on lists of tensors,
        # and keeps them all alive in a default argument. Nested attacks are all it needs to see.
        object.__setattr__(self, name, value)
        nested = self.__dict__.get("_attacks")
        if nested is None or name == "_attacks":
            return
        values = value.values() if isinstance(value, dict) else value
        if not isinstance(value, list | tuple | dict):
            values = (value,)
        for number, item in enumerate(values):
            if isinstance(item, torchattacks.attack.Attack):
                nested[f"{name}.{number}"] = item
                for key, inner in item.__dict__.get("_attacks", {}).items():
                    nested[f"{name}.{key}"] = inner
