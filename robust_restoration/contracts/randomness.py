"""Random numbers that depend on a seed and an image's number, and on nothing else.

`PerImage` makes torch's random functions fill tensors that have one row an image row by row. What
draws in another way (from numpy, or one number for a whole batch) is run image by image, each from
global states that `seeded` sets and puts back. An attack that goes on with some images of a batch
says so by `only`, and what it means to be one number for all images by `alike`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from robust_restoration.errors import InputError

Values = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
# Beside seed and number, so that an attack's numbers are not those of the noise on the image, which
# evaluations draw from the same two.
ATTACK = 1
# The global states belong to the process: who sets them keeps others that set them out.
_LOCK = threading.RLock()


def numbers_of(count: int, index: int | Sequence[int]) -> list[int]:
    """The number of each of ``count`` images.

    Args:
        count: How many images there are.
        index: The first image's number, the others following; or one number an image.

    Raises:
        InputError: If there is another number of indices, or a negative one.
    """
    if isinstance(index, int | np.integer):
        numbers = list(range(int(index), int(index) + count))
    else:
        numbers = [int(number) for number in index]
    if len(numbers) != count:
        raise InputError(f"There are {len(numbers)} indices for {count} images; expected one each.")
    if any(number < 0 for number in numbers):
        raise InputError(f"index is {min(numbers)}; expected image numbers of 0 or more.")
    return numbers


class GlobalState:
    """The states of the global generators: torch's, of a device too, numpy's and Python's."""

    def __init__(self, device: torch.device) -> None:
        self.device = device if device.type == "cuda" else None
        self.torch = torch.get_rng_state()
        self.cuda = None if self.device is None else torch.cuda.get_rng_state(self.device)
        self.numpy = np.random.get_state(legacy=False)  # noqa: NPY002
        self.python = random.getstate()

    def restore(self) -> None:
        """Put the states back."""
        torch.set_rng_state(self.torch)
        if self.cuda is not None and self.device is not None:
            torch.cuda.set_rng_state(self.cuda, self.device)
        np.random.set_state(self.numpy)  # noqa: NPY002
        random.setstate(self.python)

    def unchanged(self) -> bool:
        """Whether the states are still the same."""
        now = GlobalState(self.device or torch.device("cpu"))
        same = torch.equal(self.torch, now.torch) and self.python == now.python
        if self.cuda is not None and now.cuda is not None:
            same = same and torch.equal(self.cuda, now.cuda)
        return same and _same(self.numpy, now.numpy)


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, dict):
        return all(_same(first[key], second[key]) for key in first)
    return bool(np.array_equal(first, second))


@contextmanager
def seeded(seed: int, number: int, device: torch.device) -> Iterator[None]:
    """Inside, the global generators start from a seed and an image's number; put back after."""
    with _LOCK:
        before = GlobalState(device)
        start, *words = map(int, np.random.SeedSequence([seed, number, ATTACK]).generate_state(4))
        try:
            torch.default_generator.manual_seed(start)
            if before.device is not None:
                with torch.cuda.device(before.device):
                    torch.cuda.manual_seed(start)
            np.random.seed(words)  # noqa: NPY002  the global state is what is meant
            random.seed(start)
            yield
        finally:
            before.restore()


class PerImage(TorchFunctionMode):
    """Inside, what torch draws for a tensor with one row an image comes row by row.

    The numbers of a row are those of ``numpy.random.default_rng([seed, number, 1])``, drawn in
    float32 on the CPU: the same on any device and in any batch. ``rand``, ``randn``, ``randint``,
    their ``_like`` forms, ``uniform_``, ``normal_``, ``random_`` and ``bernoulli_`` are filled so;
    others, and tensors of another first dimension, are left to the global generators. Within
    `alike`, tensors of any shape are filled from ``default_rng([seed, 1])``.

    Args:
        seed: The seed.
        numbers: The number of each image.
    """

    def __init__(self, seed: int, numbers: Sequence[int]) -> None:
        super().__init__()
        self.draws = [np.random.default_rng([seed, number, ATTACK]) for number in numbers]
        self.common = np.random.default_rng([seed, ATTACK])
        self.alike = False

    def __enter__(self) -> PerImage:
        self._outer = _CURRENT.set(self)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        _CURRENT.reset(self._outer)
        super().__exit__(*error)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Fill what can be filled row by row; call ``func`` for the rest."""
        kwargs = kwargs or {}
        plan = _PLANS.get(func)
        if plan is None or kwargs.get("generator") is not None or kwargs.get("out") is not None:
            return func(*args, **kwargs)
        kwargs = {key: value for key, value in kwargs.items() if key != "generator"}
        target, values = plan(args, kwargs)
        if target is None or values is None:
            return func(*args, **kwargs)
        if self.alike:
            filled = values(self.common, tuple(target.shape))
        elif target.shape[:1] == (len(self.draws),):
            filled = np.stack([values(draw, tuple(target.shape[1:])) for draw in self.draws])
        else:
            return func(*args, **kwargs)
        with torch.no_grad():
            target.copy_(torch.from_numpy(np.asarray(filled)))
        return target


_CURRENT: ContextVar[PerImage | None] = ContextVar("numbers that an attack draws", default=None)


@contextmanager
def only(rows: Tensor) -> Iterator[None]:
    """Inside an attack: the batch is these rows of it alone, each with its own random numbers.

    Args:
        rows: (M,), where in the batch they stand.
    """
    current = _CURRENT.get()
    if current is None:
        yield
        return
    before = current.draws
    current.draws = [before[row] for row in rows.tolist()]
    try:
        yield
    finally:
        current.draws = before


@contextmanager
def alike() -> Iterator[None]:
    """Inside an attack: what is drawn depends on the seed alone, and serves all images of a batch.

    An image's numbers are then still the same in any batch, if it is drawn for as often.
    """
    current = _CURRENT.get()
    if current is None:
        yield
        return
    before, current.alike = current.alike, True
    try:
        yield
    finally:
        current.alike = before


def _named(args: tuple[Any, ...], kwargs: dict[str, Any], *pairs: tuple[str, Any]) -> list[Any]:
    """Arguments by position or name, with defaults."""
    return [
        args[place] if place < len(args) else kwargs.get(name, default)
        for place, (name, default) in enumerate(pairs)
    ]


def _uniform(low: float, high: float) -> Values:
    return lambda draw, shape: low + (high - low) * draw.random(shape, "float32")


def _normal(mean: float, std: float) -> Values:
    return lambda draw, shape: mean + std * draw.standard_normal(shape, "float32")


def _integers(low: int, high: int) -> Values:
    return lambda draw, shape: draw.integers(low, high, size=shape)


def _uniform_in_place(args: Any, kwargs: Any) -> Any:
    return args[0], _uniform(*_named(args[1:], kwargs, ("from", 0.0), ("to", 1.0)))


def _normal_in_place(args: Any, kwargs: Any) -> Any:
    return args[0], _normal(*_named(args[1:], kwargs, ("mean", 0.0), ("std", 1.0)))


def _integers_in_place(args: Any, kwargs: Any) -> Any:
    first, second = _named(args[1:], kwargs, ("from", None), ("to", None))
    low, high = (0, first) if second is None else (first or 0, second)
    return args[0], None if high is None else _integers(low, high)


def _bernoulli_in_place(args: Any, kwargs: Any) -> Any:
    (share,) = _named(args[1:], kwargs, ("p", 0.5))
    if isinstance(share, Tensor):
        return None, None
    return args[0], lambda draw, shape: (draw.random(shape, "float32") < share).astype("float32")


def _rand(args: Any, kwargs: Any) -> Any:
    return torch.empty(*args, **kwargs), _uniform(0.0, 1.0)


def _randn(args: Any, kwargs: Any) -> Any:
    return torch.empty(*args, **kwargs), _normal(0.0, 1.0)


def _rand_like(args: Any, kwargs: Any) -> Any:
    return torch.empty_like(*args, **kwargs), _uniform(0.0, 1.0)


def _randn_like(args: Any, kwargs: Any) -> Any:
    return torch.empty_like(*args, **kwargs), _normal(0.0, 1.0)


def _randint(args: Any, kwargs: Any) -> Any:
    rest = {"dtype": torch.int64, **kwargs}
    *bounds, shape = args if "size" not in rest else (*args, rest.pop("size"))
    low, high = _bounds(bounds, rest)
    return torch.empty(shape, **rest), _integers(low, high)


def _randint_like(args: Any, kwargs: Any) -> Any:
    rest = dict(kwargs)
    low, high = _bounds(args[1:], rest)
    return torch.empty_like(args[0], **rest), _integers(low, high)


def _bounds(given: Sequence[int], rest: dict[str, Any]) -> tuple[int, int]:
    """The bounds of ``randint``, which takes ``(high)`` or ``(low, high)``, also by name."""
    low, high = rest.pop("low", None), rest.pop("high", None)
    values = [*given, *(value for value in (low, high) if value is not None)]
    return (0, values[0]) if len(values) == 1 else (values[0], values[1])


_PLANS: dict[Any, Callable[[Any, Any], tuple[Tensor | None, Values | None]]] = {
    Tensor.uniform_: _uniform_in_place,
    Tensor.normal_: _normal_in_place,
    Tensor.random_: _integers_in_place,
    Tensor.bernoulli_: _bernoulli_in_place,
    torch.rand: _rand,
    torch.randn: _randn,
    torch.rand_like: _rand_like,
    torch.randn_like: _randn_like,
    torch.randint: _randint,
    torch.randint_like: _randint_like,
}
