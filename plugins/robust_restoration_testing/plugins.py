"""The check of a whole plugin, as it is installed."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib import metadata
from typing import Any

import torchattacks.attack
from torch import nn

from robust_restoration.contracts import Defense
from robust_restoration.errors import InputError, did_you_mean, one_line
from robust_restoration.plugins.discovery import (
    DISABLE_VARIABLE,
    Plugin,
    discover,
    read_entries,
)
from robust_restoration.plugins.hooks import KINDS, PROJECT, Entry
from robust_restoration.plugins.targets import importable, load_target
from robust_restoration.training import Recipe, Settings

from .rules import ConformanceError, rule

HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "kornia",
    "torchattacks",
    "matplotlib",
    "sklearn",
    "skimage",
    "accelerate",
)
CLASSES: dict[str, type] = {
    "denoisers": nn.Module,
    "purifiers": nn.Module,
    "attacks": torchattacks.attack.Attack,
    "defenses": Defense,
}


def check_plugin(name: str) -> Plugin:
    """Check an installed plugin: that it is found, light, and that all it lists is there.

    Args:
        name: The plugin's entry point, such as ``"attacks"``.

    Returns:
        What is known of it.

    Raises:
        ConformanceError: With the first rule it breaks; the plugin's own error is its cause.
    """
    found = discover()
    plugin = next((p for p in found if p.name == name and p.status != "clash"), None)
    if plugin is None:
        hint = did_you_mean(name, [p.name for p in found])
        raise ConformanceError(f"No plugin {name!r} is installed. {hint}")
    for other in found:
        rule(
            other.name != name or other.status != "clash",
            f"Two distributions have a plugin {name!r}: {plugin.distribution} and "
            f"{other.distribution}.",
        )
    rule(
        plugin.status != "disabled", f"Plugin {name!r} is switched off by {DISABLE_VARIABLE}."
    )
    if plugin.status == "broken":
        try:
            (point,) = metadata.entry_points(group=PROJECT, name=name)
            read_entries(point.load())
        except (Exception, SystemExit) as error:
            raise ConformanceError(f"Plugin {name!r} is broken: {one_line(error)}.") from error
    _check_import(plugin)
    for kind, entries in plugin.entries.items():
        for entry in entries:
            _check_entry(kind, entry)
    return plugin


def _check_import(plugin: Plugin) -> None:
    """In a fresh process, so that what this one has loaded does not matter."""
    module = plugin.module.split(":")[0].strip()
    code = (
        f"import sys, {module} as plugin\n"
        f"print(*set(sys.modules) & set({HEAVY}))\n"
        f"print(*(kind for kind in {KINDS} if callable(getattr(plugin, kind, None))))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    rule(run.returncode == 0, f"import {module} fails in a fresh process: {run.stderr.strip()}")
    loaded, hooks = (line.split() for line in run.stdout.splitlines()[-2:])
    rule(
        not loaded,
        f"import {module} loads {', '.join(sorted(loaded))}: keep hooks and entries apart from "
        "what they point to, so that listing stays quick.",
    )
    for kind in hooks:
        rule(
            not importable(f"{module}.{kind}"),
            f"{module} has a hook {kind}() and a submodule {kind}, which hides the hook once it is "
            f"imported: rename the file, or write @hookimpl(specname={kind!r}).",
        )


def _check_entry(kind: str, entry: Entry) -> None:
    what = f"The entry {entry.name!r} of {kind}"
    rule(
        re.fullmatch(r"[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*:?", entry.name) is not None,
        f"{what} has a name with other than letters, digits and _ . - / (and one : at the end).",
    )
    rule(
        bool(entry.summary.strip()) and "\n" not in entry.summary,
        f"{what} has the summary {entry.summary!r}; expected one line.",
    )
    rule(isinstance(entry.paper, str), f"{what} has the paper {entry.paper!r}; expected text.")
    rule(
        isinstance(entry.roles, tuple) and all(isinstance(r, str) for r in entry.roles),
        f"{what} has roles={entry.roles!r}; expected a tuple of words, such as ('classifier',).",
    )
    if entry.requires and not importable(entry.requires):
        return  # what is not installed cannot be loaded
    try:
        target = load_target(entry)
    except Exception as error:
        raise ConformanceError(str(error)) from error
    if kind == "recipes":
        _check_recipe(what, target)
        return
    rule(callable(target), f"{what} points to {entry.target}, which cannot be called.")
    rule(
        bool((getattr(target, "__doc__", None) or "").strip()),
        f"{what} points to {entry.target}, which has no docstring.",
    )
    base = CLASSES.get(kind)
    if base is not None and inspect.isclass(target):
        rule(
            issubclass(target, base),
            f"{what} points to {entry.target}, which is no {base.__module__}.{base.__name__}.",
        )


def _check_recipe(what: str, target: Any) -> None:
    """A recipe, or a function that returns one, whose settings the loop takes."""
    recipe = target() if callable(target) else target
    rule(isinstance(recipe, Recipe), f"{what} is a {type(recipe).__name__}; expected a Recipe.")
    rule(bool(recipe.summary.strip()), f"{what} has no summary.")
    try:
        Settings(**{"steps": 1, **recipe.settings})
    except (TypeError, InputError) as error:
        raise ConformanceError(f"{what} has settings that no training takes: {error}") from error
