"""Models as attacks and measurements need them: frozen, and in a precision that fits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .budgets import NARROW

M = TypeVar("M", bound=nn.Module)
# What is frozen: for each module its mode, and for each parameter its flag, as they were before the
# first of those that hold it frozen came, with how many there are.
_HELD: dict[int, list[Any]] = {}
_HOLDING = Lock()


def in_eval_mode(model: M) -> M:
    """The model, in eval mode: as ``model.eval()``, which gives nothing where ``train`` does."""
    model.eval()
    return model


@contextmanager
def frozen(model: Any) -> Iterator[None]:
    """Eval mode and no parameter gradients inside, exactly the former state after, even on errors.

    Several threads may freeze one model, or models that share parts, at once: the first of them
    saves a part's state, and the last one puts it back.

    Args:
        model: An ``nn.Module``; anything else is left alone.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    parts: list[tuple[Any, str]] = [(module, "training") for module in model.modules()]
    parts += [(parameter, "requires_grad") for parameter in model.parameters()]
    with _HOLDING:
        for part, flag in parts:
            # The part itself is kept too, so that its id stays its own.
            _HELD.setdefault(id(part), [part, getattr(part, flag), 0])[2] += 1
        in_eval_mode(model)
        model.requires_grad_(False)
    try:
        yield
    finally:
        with _HOLDING:
            for part, flag in parts:
                held = _HELD[id(part)]
                held[2] -= 1
                if not held[2]:
                    setattr(part, flag, held[1])
                    del _HELD[id(part)]


@contextmanager
def fitted(model: Any, images: Tensor) -> Iterator[None]:
    """Inside, a model takes and gives what an attack on ``images`` works with.

    Images are cast to the precision of its parameters, its outputs to that of the attack, at least
    float32, and gradients are contiguous, also those of a model in channels_last.
    """
    parameters = list(model.parameters()) if isinstance(model, nn.Module) else []
    own = next((p.dtype for p in parameters if p.is_floating_point()), images.dtype)
    work = torch.float32 if images.dtype in NARROW else images.dtype
    if own == work and all(p.is_contiguous() for p in parameters):
        yield
        return

    def before(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        for value in args:
            if isinstance(value, Tensor) and value.requires_grad:
                value.register_hook(Tensor.contiguous)
        return tuple(_cast(value, own) for value in args)

    def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        return _cast(output, work)

    with ExitStack() as hooks:
        hooks.callback(model.register_forward_pre_hook(before, prepend=True).remove)
        hooks.callback(model.register_forward_hook(after).remove)
        yield


def _cast(value: Any, dtype: torch.dtype) -> Any:
    """A floating-point tensor in another precision; anything else as it is."""
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def ordinary(value: Any) -> Any:
    """A tensor without history that gradients may flow through, also one of inference mode."""
    if not isinstance(value, Tensor):
        return value
    return value.clone() if value.is_inference() else value.detach()


def unwrapped(model: nn.Module) -> nn.Module:
    """What is inside a wrapper for several devices or processes; the model itself without one."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return unwrapped(model.module) if isinstance(model, wrappers) else model


def version(value: Any) -> int:
    """How often a tensor was changed in place, where that is counted."""
    return value._version if isinstance(value, Tensor) and not value.is_inference() else 0
