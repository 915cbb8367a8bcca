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
from contextlib import AbstractContextManager, contextmanager
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
        self.torch = [torch.get_rng_state()]
        if self.device is not None:
            self.torch.append(torch.cuda.get_rng_state(self.device))
        self.numpy = np.random.get_state(legacy=False)  # noqa: NPY002
        self.python = random.getstate()

    def restore(self) -> None:
        """Put the states back."""
        torch.set_rng_state(self.torch[0])
        if self.device is not None:
            torch.cuda.set_rng_state(self.torch[1], self.device)
        np.random.set_state(self.numpy)  # noqa: NPY002
        random.setstate(self.python)

    def unchanged(self) -> bool:
        """Whether the states are still the same."""
        now = GlobalState(self.device or torch.device("cpu"))
        same = all(map(torch.equal, self.torch, now.torch)) and self.python == now.python
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
        plan, found = _PLANS.get(func), None
        if plan is None:  # nearly always: every operation of a network comes through here
            return func(*args, **kwargs) if kwargs else func(*args)
        kwargs = kwargs or {}
        if kwargs.get("generator") is None and kwargs.get("out") is None:
            kwargs = {key: value for key, value in kwargs.items() if key != "generator"}
            found = plan(*args, **{_NAMES.get(key, key): value for key, value in kwargs.items()})
        if found is None:
            return func(*args, **kwargs)
        target, values = found
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


def only(rows: Tensor) -> AbstractContextManager[None]:
    """Inside an attack: the batch is these rows of it alone, each with its own random numbers.

    Args:
        rows: (M,), where in the batch they stand.
    """
    return _changed("draws", lambda draws: [draws[row] for row in rows.tolist()])


def alike() -> AbstractContextManager[None]:
    """Inside an attack: what is drawn depends on the seed alone, and serves all images of a batch.

    An image's numbers are then still the same in any batch, if it is drawn for as often.
    """
    return _changed("alike", lambda _: True)


@contextmanager
def _changed(name: str, change: Callable[[Any], Any]) -> Iterator[None]:
    """Inside, an attribute of what fills tensors is another one, where they are filled so."""
    current = _CURRENT.get()
    if current is None:
        yield
        return
    before = getattr(current, name)
    setattr(current, name, change(before))
    try:
        yield
    finally:
        setattr(current, name, before)


# What torch's functions fill, and with what: called as they are, ``None`` where they are to do it
# themselves. Torch's names of two arguments are no names in Python.
_NAMES = {"from": "low", "to": "high"}
Plan = tuple[Tensor, Values] | None


def _uniform(target: Tensor, low: float = 0.0, high: float = 1.0) -> Plan:
    return target, lambda draw, shape: low + (high - low) * draw.random(shape, "float32")


def _normal(target: Tensor, mean: float = 0.0, std: float = 1.0) -> Plan:
    return target, lambda draw, shape: mean + std * draw.standard_normal(shape, "float32")


def _integers(target: Tensor, *bounds: int | None) -> Plan:
    """Below the one bound that is given, or from the first to below the second."""
    low, high = (0, *(bound for bound in bounds if bound is not None))[-2:]
    return target, lambda draw, shape: draw.integers(low, high, size=shape)


def _random(target: Tensor, low: int | None = None, high: int | None = None) -> Plan:
    if low is None and high is None:
        return None
    return _integers(target, low, high)


def _bernoulli(target: Tensor, p: float | Tensor = 0.5) -> Plan:
    if isinstance(p, Tensor):
        return None
    return target, lambda draw, shape: (draw.random(shape, "float32") < p).astype("float32")


def _randint(
    *bounds: Any, low: int | None = None, high: int | None = None, size: Any = None, **like: Any
) -> Plan:
    if size is None:
        bounds, size = bounds[:-1], bounds[-1]
    return _integers(torch.empty(size, **{"dtype": torch.int64, **like}), *bounds, low, high)


def _randint_like(
    image: Tensor, *bounds: int, low: int | None = None, high: int | None = None, **like: Any
) -> Plan:
    return _integers(torch.empty_like(image, **like), *bounds, low, high)


_PLANS: dict[Any, Callable[..., Plan]] = {
    Tensor.uniform_: _uniform,
    Tensor.normal_: _normal,
    Tensor.random_: _random,
    Tensor.bernoulli_: _bernoulli,
    torch.rand: lambda *size, **like: _uniform(torch.empty(*size, **like)),
    torch.randn: lambda *size, **like: _normal(torch.empty(*size, **like)),
    torch.rand_like: lambda image, **like: _uniform(torch.empty_like(image, **like)),
    torch.randn_like: lambda image, **like: _normal(torch.empty_like(image, **like)),
    torch.randint: _randint,
    torch.randint_like: _randint_like,
}
