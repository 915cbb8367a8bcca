"""The device that a word such as ``cuda:1`` stands for, tried before anything is computed."""

from __future__ import annotations

import torch

from robust_restoration.errors import InputError


def device_of(word: torch.device | str) -> torch.device:
    """The device of a name.

    Raises:
        InputError: If there is no such device, or not on this machine.
    """
    try:
        device = torch.device(word)
        float(torch.ones(1, device=device))
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        there = ["'cpu'", *(f"'cuda:{n}'" for n in range(torch.cuda.device_count()))]
        raise InputError(
            f"device is {word!r}, which cannot be used here; expected {' or '.join(there)}."
        ) from error
    return device
