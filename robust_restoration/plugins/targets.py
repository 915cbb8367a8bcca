"""What an entry points to: importing it, and checking options before it is called."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from importlib.machinery import PathFinder
from typing import Any

from robust_restoration.errors import InputError, PluginError, did_you_mean, one_line

from .containment import contained
from .hooks import Entry


def load_target(entry: Entry) -> Any:
    """Import what an entry points to.

    Raises:
        PluginError: If what it needs is not installed, or the target is not there.
    """
    if entry.requires and not importable(entry.requires):
        how = entry.install or f"pip install {entry.requires}"
        raise PluginError(f"{entry.name!r} needs {entry.requires!r}, which is not installed: {how}")
    module, _, attribute = entry.target.partition(":")
    try:
        # What is there already runs nothing, and is asked for with each attack and network.
        there = attribute in getattr(sys.modules.get(module), "__dict__", {})
        with nullcontext() if there else contained():
            return getattr(importlib.import_module(module), attribute)
    except KeyboardInterrupt:  # most likely a user's, tired of waiting for torch
        raise
    except BaseException as error:  # a plugin's module may raise anything, and exit
        raise PluginError(
            f"{entry.name!r} is listed as {entry.target!r}, which does not import: "
            f"{one_line(error)}."
        ) from error


def importable(module: str) -> bool:
    """Whether a module, such as ``scipy`` or ``scipy.fft``, is there to be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # its parent is missing, or it is a stub in sys.modules
        return False


def what_is_missing(target: str) -> str:
    """What of ``"package.module:attribute"`` is not there, found without importing it; "" if none.

    Of a module that is not loaded, only its file is looked for.
    """
    module, _, attribute = target.partition(":")
    whole, *parts = module.split(".")
    try:
        if module in sys.modules:
            names = vars(sys.modules[module])
            there = attribute in names or "__getattr__" in names or not attribute.isidentifier()
            return "" if there else f"{module!r} has no {attribute!r}"
        there = whole in sys.modules
        spec = sys.modules[whole].__spec__ if there else importlib.util.find_spec(whole)
        for part in parts:
            if spec is None:
                break
            whole, folders = f"{whole}.{part}", spec.submodule_search_locations
            spec = None if folders is None else PathFinder.find_spec(whole, folders)
    except (ImportError, ValueError, TypeError, AttributeError):  # sys.modules holds anything
        return ""
    return f"there is no module {whole!r}" if spec is None else ""


def parameters_of(target: Any) -> dict[str, inspect.Parameter]:
    """A target's options, and those its base classes have for ``**options``, by name."""
    chain = [target]
    if inspect.isclass(target):
        chain = [vars(c)["__init__"] for c in target.__mro__ if "__init__" in vars(c)]
    options: dict[str, inspect.Parameter] = {}
    for one in chain:
        parameters = inspect.signature(one).parameters.values()
        for p in parameters:
            if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "self":
                options.setdefault(p.name, p)
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return options


def options_of(target: Any) -> list[str]:
    """The names of a target's options; see `parameters_of`."""
    return list(parameters_of(target))


def call(target: Any, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Call a target; an option that it passes on and nobody takes is an `InputError` too."""
    check_options(target, name, args, options)
    try:
        return target(*args, **options)
    except TypeError as error:
        found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if found is None or found[1] not in options:
            raise
        check_names(name, [found[1]], [k for k in options_of(target) if k != found[1]])
        raise


def check_names(name: str, options: Iterable[str], known: list[str]) -> None:
    """Raise an `InputError` that names what is near, unless all options are known."""
    for option in options:
        if option not in known:
            raise InputError(f"{name!r} takes no option {option!r}. {did_you_mean(option, known)}")


def check_options(target: Any, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Check options against a target's signature before it is called.

    Raises:
        InputError: With the nearest option's name where one is unknown, or the missing one's.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return
    # torch's own says (*args, **kwargs) and takes none; its compiler replaces it by another.
    owner = next((c for c in getattr(target, "__mro__", ()) if "__init__" in vars(c)), object)
    if (owner.__module__, owner.__qualname__) == ("torch.nn.modules.module", "Module"):
        signature = inspect.Signature()
    parameters = signature.parameters
    if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
        by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        check_names(name, options, [n for n, p in parameters.items() if p.kind in by_name])
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        raise InputError(f"{name!r}: {error}. It is called as {name}{signature}.") from error
