"""The precision and memory format that a network runs in while it is attacked or measured."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from robust_restoration.errors import InputError

NARROW = {"bf16": torch.bfloat16, "fp16": torch.float16}


def check_autocast(name: str | None) -> None:
    """Raise an `InputError` unless ``name`` is ``"bf16"``, ``"fp16"`` or ``None`` (float32)."""
    if name is not None and name not in NARROW:
        raise InputError(f"autocast is {name!r}; expected 'bf16', 'fp16' or None.")


def autocast(images: Tensor, name: str | None) -> AbstractContextManager[Any]:
    """Autocast on the device of ``images``; with ``None``, whatever is in force already."""
    check_autocast(name)
    return nullcontext() if name is None else torch.autocast(images.device.type, NARROW[name])


def forbids_channels_last(error: RuntimeError) -> bool:
    """Whether an error is of a network that views features as rows, ``x.view(len(x), -1)``."""
    return "view size is not compatible" in str(error)
