"""Noise levels and budgets as people write them."""

from __future__ import annotations

from fractions import Fraction

from .errors import InputError


def parse_level(text: str) -> float:
    """A level as a fraction of the range [0, 1].

    Args:
        text: A fraction such as ``25/255`` or ``0.6/255``; a number below 1, taken as it is; or a
            number from 1 on, taken as 255ths, as papers write levels: ``25`` is 25/255.

    Raises:
        InputError: If it is none of these, or above the range.

    Example:
        >>> parse_level("51") == parse_level("51/255") == parse_level("0.2")
        True
    """
    try:
        parts = [Fraction(part.strip()) for part in text.split("/")]
        number = float(parts[0] / parts[1]) if len(parts) == 2 else float(*parts)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        number = -1.0
    level = number / 255 if number >= 1 and "/" not in text else number
    if not 0 <= level <= 1:
        raise InputError(
            f"{text!r} is no level; expected 25/255, 0.1, or 25, which means 25/255."
        )
    return level


def parse_levels(text: str) -> float | tuple[float, float]:
    """A level, or the lowest and the highest: ``25``, ``0-25``, ``0..25/255``.

    Raises:
        InputError: If it is no level or two in order.
    """
    for between in ("..", "-"):
        if between in text:
            low, _, high = text.partition(between)
            levels = parse_level(low), parse_level(high)
            if levels[0] > levels[1]:
                raise InputError(f"{text!r} has its levels the wrong way round.")
            return levels
    return parse_level(text)
