"""Numbers: how people write them in words, and how options given in Python are checked.

Two rules hold everywhere. In Python a level is a fraction of the range [0, 1], and a number above 1
is refused with a sentence that says ``25/255``. In a word, from a command line or a file of
settings, a bare number of at least 1 means 255ths, as papers write levels: ``25`` is ``25/255``.

Which options of a word are levels follows from their names alone, `LEVELS`: for these ``eps=8`` is
8/255, for all others, such as ``photons=30`` or ``steps=10``, a number is what it says. ``alpha``
is an attack's step length and a defense's weight, so it is a level where attacks are read,
`ATTACK_LEVELS`, only. ``clip`` is a range of pixel values and no level: ``clip=0..1``.

No torch here.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Collection
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

from .errors import InputError, cleaned

LEVELS = frozenset(
    {"eps", "epsilons", "impulse_sigma", "levels", "mean", "sigma", "sigma_range", "sigmas"}
)
ATTACK_LEVELS = LEVELS | {"alpha"}
LENGTHS = frozenset({"eps", "epsilons", "alpha"})  # in the L2 norm these may be above 1

DEEPEST = 50  # brackets in a value
FRACTION = "levels are fractions of the [0, 1] range"
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_CONSTANTS = {"true": True, "false": False, "none": None, "null": None, "inf": math.inf}


def parse_level(text: str, *, highest: float = 1.0) -> float:
    """A level as a fraction of the range [0, 1].

    Args:
        text: A fraction such as ``25/255`` or ``0.6/255``; a number below 1, taken as it is; or a
            number from 1 on, taken as 255ths, as papers write levels: ``25`` is 25/255.
        highest: The highest level that is accepted.

    Raises:
        InputError: If it is none of these, or above ``highest``.

    Example:
        >>> parse_level("51") == parse_level("51/255") == parse_level("0.2")
        True
    """
    number = _number(text)
    level = -1.0 if number is None else float(number)
    if level >= 1 and "/" not in text:
        level /= 255
    if not 0 <= level <= highest:
        raise InputError(
            f"{text!r} is not a level; expected 25/255, 0.1, or 25, which means 25/255."
        )
    return level


def parse_levels(text: str) -> float | tuple[float, float]:
    """A level, or the lowest and the highest: ``25``, ``0-25``, ``0..25/255``.

    Raises:
        InputError: If it is not a level or two in order.
    """
    between = next((mark for mark in ("..", "-") if mark in text and _number(text) is None), None)
    if between is None:
        return parse_level(text)
    low, _, high = text.partition(between)
    levels = parse_level(low), parse_level(high)
    if levels[0] > levels[1]:
        raise InputError(f"{text!r} has the higher level first; expected the lower one first.")
    return levels


def parse_value(text: str, name: str = "", *, levels: Collection[str] = LEVELS) -> Any:
    """The value of a ``NAME=VALUE`` word.

    Args:
        text: A number; a fraction such as ``25/255``; several values, ``a,b``, ``[a, b]`` or
            ``low..high``, which give a tuple; ``true``, ``false``, ``none``, ``inf``; or a word.
            Quotes keep a word that would be one of these.
        name: The option's name, which tells whether it is a level.
        levels: The names of options that are levels.

    Raises:
        InputError: If a level is not one.

    Example:
        >>> parse_value("51", "eps"), parse_value("51", "steps"), parse_value("0..51", "sigma")
        (0.2, 51, (0.0, 0.2))
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    level = name in levels
    unmatched = f"{cleaned(text)!r} has brackets that do not match, or too many of them."
    if max(map(text.count, "[(")) > DEEPEST:
        raise InputError(unmatched)
    if text[:1] + text[-1:] in ("[]", "()"):
        inner = text[1:-1].strip().removesuffix(",")
        return tuple(parse_value(part, name, levels=levels) for part in _split(inner))
    if "," in text:
        parts = _split(text.removesuffix(","))
        if parts == [text]:
            raise InputError(unmatched)
        return tuple(parse_value(part, name, levels=levels) for part in parts)
    ends = text.split("..")
    if len(ends) > 1 and all(_number(end) is not None for end in ends):
        return tuple(parse_value(end, name, levels=levels) for end in ends)
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    number = _number(text)
    if level and number is not None:
        return parse_level(text, highest=math.inf if name in LENGTHS else 1.0)
    if level and re.fullmatch(r"[\d./]+-[\d./]+", text):
        return parse_levels(text)
    if number is None:
        return text
    return int(number) if re.fullmatch(r"[-+]?\d+", text) else float(number)


def parse_options(
    words: Collection[str] | None, *, levels: Collection[str] = LEVELS
) -> dict[str, Any]:
    """``NAME=VALUE`` words as a dictionary; dashes in names become underscores.

    Args:
        words: The words.
        levels: The names of options that are levels, see `parse_value`.

    Raises:
        InputError: If a word has no ``=``, no name, or a value that is not a level where one is
            expected; or if a name comes twice.
    """
    options: dict[str, Any] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise InputError(f"{word!r} is not an option; expected NAME=VALUE, such as eps=8/255.")
        if name in options:
            raise InputError(f"The option {name!r} is given twice; give it once.")
        options[name] = parse_value(value, name, levels=levels)
    return options


def parse_call(text: str, *, levels: Collection[str] = LEVELS) -> tuple[str, dict[str, Any]]:
    """A name and its options out of one text: ``"NAME eps=8 steps=20"``.

    Args:
        text: The name, then ``option=value`` words; quotes keep spaces together.
        levels: The names of options that are levels, see `parse_value`.

    Returns:
        The name, and its options.

    Raises:
        InputError: If there is no name, a quote is not closed, or an option cannot be read.

    Example:
        >>> parse_call("mine eps=51 steps=20")
        ('mine', {'eps': 0.2, 'steps': 20})
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{text!r} cannot be read ({error}).") from error
    if not words or "=" in words[0].partition(":")[0]:
        raise InputError(f"{text!r} has no name; expected NAME option=value ...")
    return words[0], parse_options(words[1:], levels=levels)


def parse_attack(text: str) -> tuple[str, dict[str, Any]]:
    """An attack's name and its options: as `parse_call`, with ``alpha`` as a level.

    Example:
        >>> parse_attack("mine eps=51 alpha=51")
        ('mine', {'eps': 0.2, 'alpha': 0.2})
    """
    name, options = parse_call(text, levels=ATTACK_LEVELS)
    check_attack_options(options)
    return name, options


def check_attack_options(options: Collection[str]) -> None:
    """Raise an `InputError` where an attack's option is called as what it is made with."""
    for word in ("model", "name"):
        if word in options:
            raise InputError(f"{word!r} is no option of an attack; leave it out.")


def is_number(value: object) -> bool:
    """Whether a value is a finite real number; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_count(name: str, value: Any, at_least: int = 1, at_most: int | None = None) -> int:
    """An option that counts something, checked.

    Args:
        name: What the option is called.
        value: What came.
        at_least: The least it may be.
        at_most: The most it may be; ``None`` for no limit.

    Raises:
        InputError: If it is not a whole number between the two.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < at_least or (at_most is not None and value > at_most):
        expected = f"{at_least} or more" if at_most is None else f"{at_least} to {at_most}"
        raise InputError(f"{name} is {value!r}; expected a whole number, {expected}.")
    return int(value)


def check_fraction(name: str, value: Any, *, above: float | None = None) -> float:
    """An option that is a share of something, from 0 to 1, checked.

    Args:
        name: What the option is called.
        value: What came.
        above: It must be above this, where given.

    Raises:
        InputError: If it is not such a number.
    """
    if not is_number(value) or not 0 <= value <= 1 or (above is not None and value <= above):
        expected = "from 0 to 1" if above is None else f"above {above:g} and up to 1"
        raise InputError(f"{name} is {value!r}; expected a share {expected}.")
    return float(value)


def check_level(name: str, value: Any, *, highest: float = 1.0) -> Any:
    """A level or a budget given in Python, checked: a fraction of the range [0, 1].

    Args:
        name: What the option is called.
        value: A number, or a tensor or array with one for each image.
        highest: The highest that is accepted; ``math.inf`` for budgets of the L2 norm.

    Returns:
        The value; a number as a float.

    Raises:
        InputError: If it is not such a level; where it looks like 255ths, it says how to write it.
    """
    if hasattr(value, "tolist") and not is_number(value):
        listed = value.tolist()
        for one in listed if isinstance(listed, list) else [listed]:
            check_level(name, one, highest=highest)
        return value
    if not is_number(value) or not 0 <= value <= highest:
        fix = ", such as 25/255"
        if is_number(value) and 1 < value <= 255:
            fix = f": write {value:g}/255"
        raise InputError(f"{name} is {value!r}; {FRACTION}{fix}.")
    return float(value)


def check_levels(name: str, value: Any, *, one: bool = True) -> tuple[float, float]:
    """One level, or the lowest and the highest, checked.

    Args:
        name: What the option is called.
        value: What came.
        one: Whether one level will do.

    Returns:
        The lowest and the highest; twice the same where one came.

    Raises:
        InputError: If it is not a level, or two in order.
    """
    pair = isinstance(value, tuple | list)
    if not pair and one:
        level = check_level(name, value)
        return level, level
    if not pair or len(value) != 2:
        raise InputError(
            f"{name} is {value!r}; expected (low, high), where {FRACTION}, such as 25/255."
        )
    low, high = (check_level(name, end) for end in value)
    if low > high:
        raise InputError(f"{name} is {value!r}; expected (low, high), the lower level first.")
    return low, high


def check_positive(name: str, value: Any, meaning: str = "", *, at_most: float = math.inf) -> float:
    """An option that is a finite number above 0, checked.

    Args:
        name: What the option is called.
        value: What came.
        meaning: What it measures, for the message, such as ``"pixels"``.
        at_most: The most it may be.

    Raises:
        InputError: If it is not such a number.
    """
    if not is_number(value) or not 0 < value <= at_most:
        limit = f", up to {at_most:g}" if at_most < math.inf else ""
        unit = f" ({meaning})" if meaning else ""
        raise InputError(f"{name} is {value!r}; expected a number above 0{limit}{unit}.")
    return float(value)


def check_range(name: str, value: Any) -> tuple[float, float]:
    """A range of values, (low, high) with low below high, checked.

    Raises:
        InputError: If it is not one.
    """
    pair = isinstance(value, tuple | list) and len(value) == 2 and all(map(is_number, value))
    if not pair or not value[0] < value[1]:
        raise InputError(f"{name} is {value!r}; expected (low, high), such as (0, 1).")
    return float(value[0]), float(value[1])


def _number(text: str) -> Fraction | None:
    """A number or a fraction of two, exactly; ``None`` if the text is something else."""
    parts = [part.strip() for part in text.split("/")]
    if len(parts) > 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        numbers = [Fraction(part) for part in parts]
        value = numbers[0] / numbers[1] if len(numbers) == 2 else numbers[0]
        float(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value


def _split(text: str) -> list[str]:
    """The parts between commas, but for those within brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if text.strip() else []
