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
from typing import Any

Kept = tuple[str, Callable[[], Any], Callable[[Any], Any]]  # its name, how to get it, how to set it


@contextmanager
def prints_on_stderr() -> Iterator[None]:
    """What a plugin prints while it is imported goes to stderr: stdout may be read by machines."""
    with redirect_stdout(sys.stderr):
        yield


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
        torch: Any = sys.modules.get("torch")
        loaded = all(name != "torch's default dtype" for name, *_ in kept)
        if loaded and hasattr(torch, "float32") and torch.get_default_dtype() != torch.float32:
            torch.set_default_dtype(torch.float32)  # it came with the plugin
            changed.append("torch's default dtype")
        blanket = [
            f
            for f in warnings.filters
            if f not in filters and issubclass(UserWarning, f[2]) and not (f[1] or f[3])
        ]
        if blanket or any(f not in warnings.filters for f in filters):
            own = [f for f in warnings.filters if f not in filters and f not in blanket]
            warnings.filters[:] = [*own, *filters]  # type: ignore[index]
            warnings.simplefilter("default", _Nothing)  # tells Python that they are others
            changed.append("the warnings that are shown")


class _Nothing(Warning):
    """No warning: for a filter that changes nothing."""


def _states() -> list[Kept]:
    """What is kept; of libraries, only where they are loaded already."""
    found: list[Kept] = [
        ("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        ("the working directory", os.getcwd, os.chdir),
        ("stderr", lambda: sys.stderr, lambda value: setattr(sys, "stderr", value)),
        ("the locale", lambda: locale.setlocale(locale.LC_ALL), _set_locale),
        ("random numbers of Python", random.getstate, random.setstate),
        ("sys.excepthook", lambda: sys.excepthook, lambda value: setattr(sys, "excepthook", value)),
        ("showwarning", lambda: warnings.showwarning, _set_showwarning),
    ]
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            found.append((f"the handler of {number.name}", *_handler(number)))
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if hasattr(numpy, "random"):
        state = numpy.random  # type: ignore[union-attr]
        found.append(("random numbers of numpy", state.get_state, state.set_state))
    if hasattr(torch, "set_default_dtype"):
        t: Any = torch
        found += [
            ("random numbers of torch", t.get_rng_state, t.set_rng_state),
            ("torch's default dtype", t.get_default_dtype, t.set_default_dtype),
            ("torch's gradients", t.is_grad_enabled, t.set_grad_enabled),
            (
                "torch's deterministic algorithms",
                t.are_deterministic_algorithms_enabled,
                t.use_deterministic_algorithms,
            ),
        ]
    return found


def _set_locale(value: str) -> None:
    locale.setlocale(locale.LC_ALL, value)


def _set_showwarning(value: Any) -> None:
    warnings.showwarning = value


def _handler(number: signal.Signals) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    return lambda: signal.getsignal(number), lambda value: signal.signal(number, value)


def _try(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except Exception:  # such as a working directory that was removed
        return None


def _same(first: Any, second: Any) -> bool:
    """Equality, of arrays and tuples of them too."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(_same, first, second))
    if hasattr(first, "tobytes"):
        return hasattr(second, "tobytes") and first.tobytes() == second.tobytes()
    if hasattr(first, "numpy"):
        return bool((first == second).all())
    return bool(first is second or first == second)
