"""Checks of the options that the transforms are built with."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from robust_restoration.errors import InputError


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """An option that counts something, checked.

    Args:
        name: What the option is called.
        value: What came.
        low: The least it may be.
        high: The most it may be; ``None`` for no limit.

    Raises:
        InputError: If it is no whole number between the two.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        expected = f"{low} or more" if high is None else f"{low} to {high}"
        raise InputError(f"{name} is {value!r}; expected a whole number, {expected}.")
    return int(value)


def positive_number(name: str, value: Any, meaning: str) -> float:
    """An option that is a finite number above 0, checked.

    Args:
        name: What the option is called.
        value: What came.
        meaning: What it measures, for the message, such as ``"pixels"``.

    Raises:
        InputError: If it is no such number.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise InputError(f"{name} is {value!r}; expected a number above 0 ({meaning}).")
    return float(value)
