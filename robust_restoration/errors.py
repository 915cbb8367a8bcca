"""The errors the package raises: each says what came, what is expected, and what would fix it."""

from __future__ import annotations


class RobustRestorationError(Exception):
    """Base of every error that a user's input can cause; the command line prints it and exits 2."""


class InputError(RobustRestorationError, ValueError):
    """Images, labels or options that cannot be worked with."""


class UnknownNameError(RobustRestorationError, LookupError):
    """A name that no plugin offers, or that several offer."""


class WeightsError(RobustRestorationError, ValueError):
    """Weights that are missing, damaged, or of another architecture."""


class PluginError(RobustRestorationError):
    """A plugin that is broken or switched off, asked for by name."""


class DataError(RobustRestorationError, ValueError):
    """Data that is missing or damaged on disk."""


class TrainingError(RobustRestorationError, RuntimeError):
    """Training that cannot go on, such as after a non-finite loss."""


def did_you_mean(name: str, choices: list[str]) -> str:
    """A sentence with the nearest of ``choices`` to ``name``, or with all of them if none is near.

    Args:
        name: What was asked for.
        choices: What there is.
    """
    from difflib import get_close_matches

    near = get_close_matches(name, choices, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    if not choices:
        return "There are none."
    shown = ", ".join(sorted(choices)[:12])
    more = f", and {len(choices) - 12} more" if len(choices) > 12 else ""
    return f"There are: {shown}{more}."


def one_line(error: BaseException) -> str:
    """An error's kind and what it says, on one line, for a row of a table."""
    from textwrap import shorten

    text = shorten(str(error), 300, placeholder=" ...")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
