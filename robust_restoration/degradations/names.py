"""Noise models by name, and from one word as the command line takes it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from robust_restoration.errors import InputError, UnknownNameError, did_you_mean
from robust_restoration.plugins.hooks import Entry
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import call, load_target

if TYPE_CHECKING:
    from .noise import Noise

AT = "robust_restoration.degradations.noise"
NOISES = (
    Entry("gaussian", f"{AT}:Gaussian", "white Gaussian noise of one level, or of a range"),
    Entry("impulse", f"{AT}:Impulse", "Gaussian noise at some values"),
    Entry("mixed_levels", f"{AT}:MixedLevels", "white Gaussian noise of one of several levels"),
    Entry("poisson", f"{AT}:Poisson", "shot noise of so many photons"),
    Entry("replacement_gaussian", f"{AT}:ReplacementGaussian", "some pixels become Gaussian"),
    Entry("salt_and_pepper", f"{AT}:SaltAndPepper", "some pixels become 0 or 1"),
    Entry("uniform", f"{AT}:Uniform", "white uniform noise"),
)


def list_noises() -> list[str]:
    """Names of the noise models: the core's, and those that plugins offer."""
    return sorted({*(entry.name for entry in NOISES), *registry().list("noises")})


def create_noise(name: str, *args: Any, **options: Any) -> Noise:
    """Create a noise model by name.

    Args:
        name: As `list_noises` lists it. The core's own names come before those of plugins, which
            stay reachable as ``plugin/name``.
        *args: The noise model's first options.
        **options: Its options by name.

    Raises:
        UnknownNameError: If there is none of the name; names the nearest.
        InputError: If it does not take the options, or one is out of range.
    """
    for entry in NOISES:
        if entry.name == name:
            return call(load_target(entry), name, args, options)
    known = list_noises()
    if name not in known and "/" not in name:
        raise UnknownNameError(f"There is no noise {name!r}. {did_you_mean(name, known)}")
    return registry().create("noises", name, *args, **options)


def parse_noise(text: str) -> Noise:
    """Create a noise model from one word.

    Args:
        text: ``name:value,option=value,...``; the first values may go without their options'
            names. A value is a number, a fraction such as ``25/255``, several of these joined by
            ``..``, or ``none``.

    Raises:
        UnknownNameError: If there is no such noise.
        InputError: If a value is none of these, or an option is wrong.

    Example:
        >>> parse_noise("gaussian:0..1/4")
        Gaussian(clip=None, sigma=(0.0, 0.25))
        >>> parse_noise("impulse:0.2,probability=1/2,clip=0..1")
        Impulse(clip=(0.0, 1.0), sigma=0.2, probability=0.5)
    """
    name, _, rest = text.partition(":")
    args: list[Any] = []
    options: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        option, equals, value = part.partition("=")
        if equals:
            options[option.strip()] = _parse_value(value, text)
        elif options:
            raise InputError(f"{text!r} has a value without a name, {part!r}, after named ones.")
        else:
            args.append(_parse_value(part, text))
    return create_noise(name.strip(), *args, **options)


def _parse_value(value: str, text: str) -> float | tuple[float, ...] | None:
    if value.strip().lower() == "none":
        return None
    try:
        numbers = tuple(float(Fraction(number.strip())) for number in value.split(".."))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(
            f"{text!r} has the value {value!r}; expected numbers such as 0.1 or 25/255, or several "
            "such as 0..25/255."
        ) from None
    return numbers if len(numbers) > 1 else numbers[0]
