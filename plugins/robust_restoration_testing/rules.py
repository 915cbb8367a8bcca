"""What the checks share: the error, and comparing a model's state before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError


class ConformanceError(AssertionError):
    """A rule of a contract is broken."""


def rule(holds: bool, sentence: str) -> None:
    """Raise `ConformanceError` with ``sentence`` unless the rule holds."""
    if not holds:
        raise ConformanceError(sentence)


def refuses(call: Callable[[], Any], what: str) -> None:
    """Check that a call raises `InputError`."""
    try:
        call()
    except InputError:
        return
    except Exception as error:
        raise ConformanceError(
            f"{what} raises {type(error).__name__}; expected robust_restoration.InputError."
        ) from error
    raise ConformanceError(f"{what} raises nothing; expected robust_restoration.InputError.")


def state_of(model: Any) -> dict[str, Any]:
    """Modes, flags, gradients, parameters and buffers of a model, to be compared with later.

    Nothing is known of what is no ``nn.Module``.
    """
    if not isinstance(model, nn.Module):
        return {}
    found: dict[str, Any] = {f"the mode of {n!r}": m.training for n, m in model.named_modules()}
    for name, parameter in model.named_parameters():
        found[f"requires_grad of {name!r}"] = parameter.requires_grad
        found[f"parameter {name!r}"] = parameter.detach().clone()
        grad = parameter.grad
        found[f"the gradient kept in {name!r}"] = None if grad is None else grad.clone()
    found.update({f"buffer {name!r}": value.clone() for name, value in model.named_buffers()})
    return found


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The first fact that is not as it was; empty if all are."""
    for fact in {**before, **after}:
        old, new = before.get(fact), after.get(fact)
        if isinstance(old, Tensor) and isinstance(new, Tensor):
            same = torch.equal(old, new)
        else:
            same = type(old) is type(new) and old == new
        if not same:
            return fact
    return ""


@contextmanager
def awkward_state(model: Any) -> Iterator[None]:
    """Some modules in train and some in eval mode, some parameters frozen; put back after."""
    if not isinstance(model, nn.Module):
        yield
        return
    modules, parameters = list(model.modules()), list(model.parameters())
    modes, flags = [m.training for m in modules], [p.requires_grad for p in parameters]
    try:
        for number, module in enumerate(modules):
            module.training = number % 2 == 0
        for number, parameter in enumerate(parameters):
            parameter.requires_grad_(number % 2 == 0)
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for parameter, flag in zip(parameters, flags, strict=True):
            parameter.requires_grad_(flag)
