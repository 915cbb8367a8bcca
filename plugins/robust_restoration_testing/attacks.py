"""The check of attacks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.contracts.budgets import NORMS, size
from robust_restoration.contracts.randomness import GlobalState
from robust_restoration.errors import InputError, one_line

from .rules import ConformanceError, awkward_state, difference, refuses, rule, state_of

SEED, FIRST = 7, 3  # what the checks seed an attack with, and the first image's number


def check_attack(attack: Any, inputs: Tensor, targets: Tensor) -> None:
    """Check an attack against the contract of `Attack`.

    It is tried on a model in train mode in part, within ``no_grad`` and ``inference_mode``, on
    half precision and images in channels_last, with a model that raises, with each image alone and
    in the batch, and with a budget of 0.

    Args:
        attack: The attack, on a small model.
        inputs: Images it is made for, float32, (N, C, H, W), N at least 2, within its ``bounds``.
        targets: Labels (N,) or clean images (N, C, H, W).

    Raises:
        ConformanceError: With the first rule it breaks.

    Example:
        >>> check_attack(create_attack("mine", model, eps=8 / 255), images, labels)
    """
    name = type(attack).__name__
    rule(
        isinstance(attack, Attack),
        f"{name} is not a robust_restoration.Attack: derive it from that.",
    )
    _check_declared(attack)
    attack = copy.copy(attack)
    attack.seed = SEED
    before, expected = inputs.clone(), targets.clone()
    with awkward_state(attack.model), _global_states_kept(name):
        state = state_of(attack.model)
        attacked = _call(attack, inputs, targets, "raises")
        changed = difference(state, state_of(attack.model))
        rule(not changed, f"{name} leaves {changed} of the model changed.")
        _check_after_failure(attack, inputs, targets)
    rule(torch.equal(before, inputs), f"{name} changes its inputs in place.")
    rule(torch.equal(expected, targets), f"{name} changes its targets in place.")
    _check_kind(name, attacked, inputs)
    _check_budget(attack, attacked, inputs, "when called")
    noise = torch.randn(inputs.shape, generator=Generator().manual_seed(0)).to(inputs)
    far = attack.limit(inputs + 10 * noise, inputs)
    _check_budget(attack, far, inputs, "in limit()")
    rule(
        torch.allclose(attack.limit(attacked, inputs), attacked, atol=1e-5),
        f"{name}.limit() moves what is within the budget already.",
    )
    _check_independence(attack, attacked, inputs, targets)
    _check_modes(attack, attacked, inputs, targets)
    if attack.eps is not None:
        harmless = copy.copy(attack)
        harmless.eps = 0
        rule(
            torch.equal(harmless(inputs, targets), inputs),
            f"{name} with eps=0 does not give its inputs back bit for bit.",
        )
    refuses(lambda: attack(inputs[0], targets), f"{name}, given one image without a batch,")
    refuses(lambda: attack(inputs.int(), targets), f"{name}, given integers,")
    refuses(lambda: attack(inputs, targets[1:]), f"{name}, given too few targets,")
    refuses(lambda: attack(inputs[:0], targets[:0]), f"{name}, given an empty batch,")


def _check_declared(attack: Attack) -> None:
    """Norm, budget, range and the rest are there, and of their kind."""
    name = type(attack).__name__
    rule(
        attack.norm is None or attack.norm in NORMS,
        f"{name}.norm is {attack.norm!r}; expected math.inf, 2.0, 1.0, 0.0 or None.",
    )
    for fact in ("random", "differentiates", "rowwise"):
        value = getattr(attack, fact)
        rule(
            isinstance(value, bool), f"{name}.{fact} is {value!r}; expected True or False."
        )
    rule(
        attack.seed is None or isinstance(attack.seed, int),
        f"{name}.seed is {attack.seed!r}; expected a whole number or None.",
    )
    rule(
        attack.norm is None or attack.eps is not None,
        f"{name} declares a norm and no eps: set self.eps, or norm = None.",
    )
    limits = type(attack).limit is not Attack.limit
    rule(
        attack.eps is None or attack.norm is not None or limits,
        f"{name} has eps and declares no norm, so that nothing keeps to it: since version 0.2 say "
        "norm = math.inf, 2.0, 1.0 or 0.0, and leave limit() to the base class.",
    )


@contextmanager
def _global_states_kept(name: str) -> Iterator[None]:
    """No random number is taken from torch's, numpy's or Python's global generator."""
    before = GlobalState(torch.device("cpu"))
    yield
    rule(
        before.unchanged(),
        f"{name} with a seed changes the global state of torch's, numpy's or Python's random "
        "numbers.",
    )


def _check_independence(attack: Attack, attacked: Tensor, inputs: Tensor, targets: Tensor) -> None:
    """An image is attacked alike alone and in a batch, whatever was drawn before."""
    name = type(attack).__name__
    torch.rand(3)
    with torch.no_grad():
        alone = _call(
            attack, inputs[1:2], targets[1:2], "raises on one image under no_grad()", FIRST + 1
        )
    said = "with a seed" if attack.random else "says random=False, yet"
    rule(
        _close(alone, attacked[1:2]),
        f"{name} {said} attacks an image differently alone and in a batch: draw from torch, one "
        "row of numbers an image, or say rowwise = False.",
    )
    if not attack.random:
        attack = copy.copy(attack)
        attack.seed = SEED + 1
        other = _call(attack, inputs, targets, "raises", FIRST + 5)
        rule(
            _close(other, attacked),
            f"{name} says random=False, yet draws random numbers.",
        )


def _close(first: Tensor, second: Tensor) -> bool:
    """Alike but for rounding, which may turn a sign where a gradient is 0."""
    return float(((first - second).abs() > 1e-4).float().mean()) < 0.01


def _check_modes(attack: Attack, attacked: Tensor, inputs: Tensor, targets: Tensor) -> None:
    """inference_mode, images in channels_last, half precision."""
    name = type(attack).__name__
    with torch.inference_mode():
        again = _call(attack, inputs.clone(), targets.clone(), "raises under inference_mode()")
    rule(_close(again, attacked), f"{name} attacks otherwise under inference_mode().")
    last = inputs.contiguous(memory_format=torch.channels_last)
    again = _call(attack, last, targets, "raises on images in channels_last")
    rule(_close(again, attacked), f"{name} attacks images in channels_last otherwise.")
    for dtype in (torch.float16, torch.bfloat16):
        try:
            narrow = attack(inputs.to(dtype), targets, index=FIRST)
        except InputError:
            continue  # refused in a sentence
        except Exception as error:
            raise ConformanceError(f"{name} raises on {dtype}: {one_line(error)}.") from error
        _check_kind(name, narrow, inputs.to(dtype))
        _check_budget(attack, narrow, inputs.to(dtype), f"on {dtype}", slack=1e-6)


def _call(
    attack: Any, inputs: Tensor, targets: Tensor, problem: str, index: int = FIRST
) -> Any:
    try:
        return attack(inputs, targets, index=index)
    except Exception as error:
        name = type(attack).__name__
        rule(
            "unexpected keyword argument 'index'" not in str(error),
            f"{name}.__call__ takes no 'index', as in version 0.1: override forward() or check() "
            "in its place.",
        )
        raise ConformanceError(f"{name} {problem}: {one_line(error)}.") from error


def _check_kind(name: str, attacked: Any, inputs: Tensor) -> None:
    """A finite tensor like the inputs, on its own."""
    rule(
        isinstance(attacked, Tensor),
        f"{name} returns a {type(attacked).__name__}; expected a tensor.",
    )
    for fact in ("shape", "dtype", "device"):
        got, expected = getattr(attacked, fact), getattr(inputs, fact)
        rule(got == expected, f"{name} returns {fact} {got} for inputs of {expected}.")
    rule(attacked.data_ptr() != inputs.data_ptr(), f"{name} returns its inputs' own memory.")
    rule(not attacked.requires_grad, f"{name} returns a result that still carries gradients.")
    rule(bool(torch.isfinite(attacked).all()), f"{name} returns NaN or infinity.")


def _check_budget(
    attack: Attack, attacked: Tensor, inputs: Tensor, when: str, slack: float = 1e-4
) -> None:
    """Within the range, and within the budget of the inputs."""
    name = type(attack).__name__
    attacked, inputs = attacked.double(), inputs.double()
    if attack.bounds is not None:
        low, high = float(attacked.min()), float(attacked.max())
        rule(
            low >= attack.bounds[0] and high <= attack.bounds[1],
            f"{name} {when} gives values from {low:.4g} to {high:.4g}; expected {attack.bounds}.",
        )
    radius = attack.radius(inputs)
    if attack.norm is not None and radius is not None:
        length, radius = size(attacked - inputs, attack.norm), radius.double()
        rule(
            bool((length <= radius * (1 + slack) + 1e-7).all()),
            f"{name} {when} gives a perturbation of size {float(length.max()):.4g} in the "
            f"{attack.norm:g}-norm, above {float(radius.max()):.4g}.",
        )


class _Planted(Exception):
    """What the checks make a model raise."""


def _check_after_failure(attack: Any, inputs: Tensor, targets: Tensor) -> None:
    """A model that raises: the error comes through, and the model is as it was."""
    name, model = type(attack).__name__, attack.model
    if not isinstance(model, nn.Module):
        return
    calls = 0

    def fail(module: nn.Module, arguments: Any) -> None:
        nonlocal calls
        calls += 1
        raise _Planted("planted by the conformance check")

    state = state_of(model)
    handle = model.register_forward_pre_hook(fail)
    try:
        attack(inputs, targets)
    except Exception as error:
        rule(isinstance(error, _Planted), f"{name} hides the error of a model that raises.")
    else:
        rule(calls == 0, f"{name} swallows the error of a model that raises.")
    finally:
        handle.remove()
    changed = difference(state, state_of(model))
    rule(not changed, f"{name} leaves {changed} of the model changed when the model raises.")
