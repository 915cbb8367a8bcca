"""The check of attacks."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torchattacks.attack
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.errors import one_line

from .rules import ConformanceError, awkward_state, difference, refuses, rule, state_of


def check_attack(
    attack: Any,
    inputs: Tensor,
    targets: Tensor,
    *,
    norm: float | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> None:
    """Check an attack against the contract of `Attack`.

    Args:
        attack: The attack, on a small model.
        inputs: Images it is made for, (N, C, H, W), N at least 2, within ``bounds``.
        targets: Labels (N,) or clean images (N, C, H, W).
        norm: The norm in which ``attack.eps`` limits the perturbation of each image, such as 2 or
            ``math.inf``; ``None`` if it is limited in another way.
        bounds: The range its results keep to; ``None`` if they may leave every range.

    Raises:
        ConformanceError: With the first rule it breaks.

    Example:
        >>> check_attack(create_attack("mine", model, eps=8 / 255), images, labels, norm=math.inf)
    """
    name = type(attack).__name__
    rule(isinstance(attack, torchattacks.attack.Attack), f"{name} is no torchattacks Attack.")
    before, expected = inputs.clone(), targets.clone()
    with awkward_state(attack.model):
        state = state_of(attack.model)
        attacked = _call(attack, inputs, targets, "raises")
        changed = difference(state, state_of(attack.model))
        rule(not changed, f"{name} leaves {changed} of the model changed.")
        _check_after_failure(attack, inputs, targets)
    rule(torch.equal(before, inputs), f"{name} changes its inputs in place.")
    rule(torch.equal(expected, targets), f"{name} changes its targets in place.")
    _check_kind(name, attacked, inputs)
    _check_budget(attack, attacked, inputs, norm, bounds, "when called")
    if isinstance(attack, Attack):
        noise = torch.randn(inputs.shape, generator=Generator().manual_seed(0)).to(inputs)
        far = attack.limit(inputs + 10 * noise, inputs)
        _check_budget(attack, far, inputs, norm, bounds, "in limit()")
        rule(
            torch.allclose(attack.limit(attacked, inputs), attacked, atol=1e-5),
            f"{name}.limit() moves what is within the budget already.",
        )
    with torch.no_grad():
        alone = _call(attack, inputs[1:2], targets[1:2], "raises on one image under no_grad()")
    if getattr(attack, "random", None) is False:
        rule(
            torch.allclose(alone, attacked[1:2], atol=1e-4),
            f"{name} says random=False, yet attacks an image differently alone and in a batch.",
        )
    if hasattr(attack, "eps"):
        harmless = copy.copy(attack)
        harmless.eps = 0
        rule(
            torch.equal(harmless(inputs, targets), inputs),
            f"{name} with eps=0 does not give its inputs back bit for bit.",
        )
    refuses(lambda: attack(inputs[0], targets), f"{name}, given one image without a batch,")
    refuses(lambda: attack(inputs.int(), targets), f"{name}, given integers,")
    refuses(lambda: attack(inputs, targets[1:]), f"{name}, given too few targets,")


def _call(attack: Any, inputs: Tensor, targets: Tensor, problem: str) -> Any:
    try:
        return attack(inputs, targets)
    except Exception as error:
        name = type(attack).__name__
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
    attack: Any,
    attacked: Tensor,
    inputs: Tensor,
    norm: float | None,
    bounds: tuple[float, float] | None,
    when: str,
) -> None:
    """Within the range, and within eps of the inputs."""
    name = type(attack).__name__
    if bounds is not None:
        low, high = float(attacked.min()), float(attacked.max())
        rule(
            low >= bounds[0] and high <= bounds[1],
            f"{name} {when} gives values from {low:.4g} to {high:.4g}; expected {bounds}.",
        )
    if norm is not None:
        size = torch.linalg.vector_norm((attacked - inputs).flatten(1), ord=norm, dim=1)
        eps = torch.as_tensor(attack.eps).to(size)
        rule(
            bool((size <= eps * (1 + 1e-4) + 1e-6).all()),
            f"{name} {when} gives a perturbation of size {float(size.max()):.4g} in the "
            f"{norm:g}-norm, above eps = {float(eps.max()):.4g}.",
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
