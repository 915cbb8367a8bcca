"""The errors the package raises: each says what came, what is expected, and what would fix it."""

from __future__ import annotations

from typing import Any


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


class NoLabelsError(DataError):
    """Images without labels, where labelled ones are expected."""


class TrainingError(RobustRestorationError, RuntimeError):
    """Training that cannot go on, such as after a non-finite loss."""


def check_type(
    name: str,
    value: object,
    kind: Any,
    expected: str,
    error: type[RobustRestorationError] = InputError,
) -> None:
    """Raise an error unless a value is of a kind, as ``isinstance`` takes it.

    Args:
        name: What the value is called.
        value: What came.
        kind: What it is to be.
        expected: The same in words.
        error: What is raised.
    """
    if not isinstance(value, kind):
        came = type(value).__name__
        article = "an" if came[0] in "aeioAEIO" else "a"
        raise error(f"{name} is {article} {came}; expected {expected}.")


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
    kind, text = type(error).__name__, first_words(error)
    return f"{kind}: {text}" if text else kind


def first_words(error: BaseException) -> str:
    """What an error says, on one line of at most 300 characters, whatever raised it."""
    try:
        return cleaned(str(error), 300)
    except BaseException as second:  # a plugin's error may fail at saying what it is
        return f"(its message cannot be shown: {type(second).__name__})"


_IN_WORDS: dict[type[Exception], str] = {
    IndexError: "a list in it is too short",
    RecursionError: "it is nested too deeply",
    UnicodeDecodeError: "it is no text in UTF-8",
    TypeError: "a part of it is of another kind than expected",
    AttributeError: "a part of it is of another kind than expected",
}


def what_is_wrong(error: BaseException) -> str:
    """What reading the content of a file failed on, said of the file rather than in Python's words.

    Args:
        error: What was raised by the reading.
    """
    said = first_words(error)
    if isinstance(error, KeyError) and len(error.args) == 1:
        name = str(error.args[0])
        return cleaned(name, 300) if " " in name else f"it has no {cleaned(name)!r}"  # numpy's say
    for kind, words in _IN_WORDS.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError):
        return error.strerror or said or "it cannot be read"
    if isinstance(error, ValueError):
        if hasattr(error, "lineno"):
            return f"it is no JSON: {said}"
        if said.startswith(("zip()", "not enough values", "too many values")):
            return "lists in it are not as long as each other"
    return said or "it cannot be read"


def cleaned(text: str, length: int = 80) -> str:
    """Text from elsewhere, such as a file, for a message: one short line of what can be printed."""
    from textwrap import shorten

    plain = "".join(c if c.isprintable() or c.isspace() else "?" for c in text[: 20 * length])
    short = shorten(plain, length, placeholder=" ...")
    if len(plain) > length and len(short) < length // 2:  # one long word
        short = " ".join(plain.split())[: length - 4] + " ..."
    return short
