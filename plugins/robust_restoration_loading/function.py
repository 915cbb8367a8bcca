"""Models that a function of the user's own makes."""

from __future__ import annotations

import importlib

from torch import nn

from robust_restoration.contracts import in_eval_mode
from robust_restoration.errors import InputError, one_line


def made_by_function(word: str) -> nn.Module:
    """What ``package.module:function`` returns when it is called, in eval mode.

    Raises:
        InputError: If it does not import, fails, or gives something that is not a module.
    """
    module, _, function = word.partition(":")
    try:
        made = getattr(importlib.import_module(module), function)()
    except Exception as error:  # somebody's own code
        raise InputError(f"{word!r} does not import as a function: {one_line(error)}.") from error
    if not isinstance(made, nn.Module):
        raise InputError(
            f"{word!r} gives what is of type {type(made).__name__}; expected a function that "
            "returns a module."
        )
    return in_eval_mode(made)
