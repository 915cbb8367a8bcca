"""What a plugin may not leave behind when it is imported: the state of the whole process."""

from __future__ import annotations

import locale
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from typing import Any

Kept = tuple[str, Callable[[], Any], Callable[[Any], Any]]  # its name, how to get it, how to set it


def prints_on_stderr() -> redirect_stdout[Any]:
    """What a plugin prints while it is imported goes to stderr: stdout may be read by machines."""
    return redirect_stdout(sys.stderr)


@contextmanager
def contained() -> Iterator[list[str]]:
    """Inside, a plugin is imported: what it prints goes to stderr, what it sets is put back.

    Yields:
        A list that names afterwards what was put back.
    """
    kept = [(name, put, get, _try(get)) for name, get, put in _states()]
    filters = list(warnings.filters)
    changed: list[str] = []
    try:
        with prints_on_stderr():
            yield changed
    finally:
        for name, put, get, before in kept:
            if not _same(_try(get), before):
                with suppress(Exception):
                    put(before)
                changed.append(name)
        new = [f for f in warnings.filters if f not in filters]
        own = [f for f in new if f[1] or f[3] or not issubclass(UserWarning, f[2])]  # not for all
        if own != new or not {*filters} <= {*warnings.filters}:
            warnings.filters[:] = [*own, *filters]  # type: ignore[index]
            warnings.simplefilter("default", _Nothing)  # tells Python that they are others
            changed.append("the warnings that are shown")


class _Nothing(Warning):
    """No warning: for a filter that changes nothing."""


def _states() -> list[Kept]:
    """What is kept; of libraries, only where they are loaded already."""
    where = partial(locale.setlocale, locale.LC_ALL)
    kept: list[Kept] = [
        ("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        ("the working directory", os.getcwd, os.chdir),
        ("the locale", where, where),
        ("random numbers of Python", random.getstate, random.setstate),
        ("torch's default dtype", _default_dtype, _set_default_dtype),
    ]
    for name, owner in (("stderr", sys), ("sys.excepthook", sys), ("showwarning", warnings)):
        attribute = owner, name.removeprefix("sys.")
        kept.append((name, partial(getattr, *attribute), partial(setattr, *attribute)))
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = partial(signal.getsignal, number), partial(signal.signal, number)
            kept.append((f"the handler of {number.name}", *handler))
    numpy: Any = getattr(sys.modules.get("numpy"), "random", None)
    if numpy is not None:
        kept.append(("random numbers of numpy", numpy.get_state, numpy.set_state))
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "set_default_dtype"):
        strict = torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms
        kept += [
            ("random numbers of torch", torch.get_rng_state, torch.set_rng_state),
            ("torch's gradients", torch.is_grad_enabled, torch.set_grad_enabled),
            ("torch's deterministic algorithms", *strict),
        ]
    return kept


def _default_dtype() -> str:
    """Torch's default dtype; what it will be where torch is not loaded yet."""
    get = getattr(sys.modules.get("torch"), "get_default_dtype", lambda: "torch.float32")
    return str(get()).removeprefix("torch.")


def _set_default_dtype(name: str) -> None:
    torch: Any = sys.modules["torch"]
    torch.set_default_dtype(getattr(torch, name))


def _try(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except Exception:  # such as a working directory that was removed
        return None


def _same(first: Any, second: Any) -> bool:
    """Equality, of arrays and tuples of them too."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(_same, first, second))
    same: Any = first is second or first == second
    return bool(same.all() if hasattr(same, "all") else same)
