"""Noise models by name, and from one word as the command line takes it. Loads no torch."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from robust_restoration.errors import InputError
from robust_restoration.numbers import parse_call, parse_value
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target

if TYPE_CHECKING:
    from robust_restoration.contracts import Degradation


def list_noises(pattern: str = "*") -> list[str]:
    """Names of noise models that match a glob pattern."""
    return registry().list("noises", pattern)


def create_noise(name: str, *args: Any, **options: Any) -> Degradation:
    """Create a noise model, or any other degradation, by name.

    Args:
        name: As `list_noises` lists it, or ``plugin/name``; or a word with options, see
            `parse_noise`, where no options come beside it.
        *args: The noise model's first options.
        **options: Its options by name; levels are fractions of [0, 1].

    Raises:
        UnknownNameError: If there is none of the name; names the nearest.
        InputError: If it does not take the options, or one is out of range.
    """
    if not args and not options and (":" in name or " " in name.strip()):
        return parse_noise(name)
    return registry().create("noises", name, *args, **options)


def parse_noise(text: str) -> Degradation:
    """Create a noise model from one word.

    Args:
        text: ``name:value,option=value,...``, in which the first values may go without their
            options' names, or ``"name option=value ..."``. Values are written as everywhere, see
            `robust_restoration.numbers`: ``gaussian:25`` is a level of 25/255, ``poisson:30`` is
            30 photons; several values are joined by ``..``.

    Raises:
        UnknownNameError: If there is no such noise.
        InputError: If an option is unknown or its value out of range.

    Example:
        >>> parse_noise("gaussian:0..51")
        Gaussian(clip=None, sigma=(0.0, 0.2))
        >>> parse_noise("gaussian:0.2,clip=0..1") == parse_noise("gaussian sigma=51 clip=0..1")
        True
    """
    name, colon, rest = text.strip().partition(":")
    if not colon or " " in name:
        name, options = parse_call(text)
        return registry().create("noises", name, **options)
    name, options, named = name.strip(), {}, False
    ordered = _ordered(name)
    for part in filter(None, map(str.strip, rest.split(","))):
        option, equals, value = (word.strip() for word in part.partition("="))
        named = named or bool(equals)
        if not equals:
            if named or len(options) >= len(ordered):
                raise InputError(
                    f"{text!r} has a value without a name, {part!r}, that belongs to no option of "
                    f"{name!r}; its options are {', '.join(ordered) or 'none'}, in this order."
                )
            option, value = ordered[len(options)], part
        options[option] = parse_value(value, option)
    return registry().create("noises", name, **options)


def _ordered(name: str) -> list[str]:
    """The options of a noise model that may go without their names, in order."""
    offer, _ = registry().find("noises", name)
    parameters = inspect.signature(load_target(offer.entry)).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
