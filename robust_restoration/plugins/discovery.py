"""Finds plugins through entry points and reads what they offer.

A plugin that fails to import, or returns nonsense, becomes a row with its reason and disturbs
nothing else. Nothing here imports torch: entries are data.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import Any

import pluggy

from robust_restoration.errors import cleaned, did_you_mean, one_line

from . import hooks as hookspecs
from .containment import contained, prints_on_stderr
from .hooks import KINDS, NAME, PROJECT, Entry

DISABLE_VARIABLE = "ROBUST_RESTORATION_DISABLE_PLUGINS"


@dataclass
class Plugin:
    """What is known of one plugin.

    Attributes:
        name: Its entry point's name.
        module: The module the entry point names.
        distribution: The distribution that brings it.
        version: That distribution's version.
        status: ``"active"``, ``"disabled"``, ``"broken"`` or ``"clash"``.
        reason: Why it is not active; empty when it is.
        entries: What it offers, by kind.
        changed: What of the process its import had set, and was put back.
    """

    name: str
    module: str
    distribution: str
    version: str
    status: str = "active"
    reason: str = ""
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @property
    def builtin(self) -> bool:
        """Whether this distribution brings it."""
        return _canonical(self.distribution) == PROJECT


def read_entries(module: Any) -> dict[str, list[Entry]]:
    """What one plugin's hooks offer, by kind.

    Each plugin is asked on its own, so that its faults stay its own.

    Raises:
        TypeError: If a hook returns what is not a list of entries.
        ValueError: If an entry has no usable name or target, two have one name, or there is no
            such hook.
        pluggy.PluginValidationError: If a hook's arguments are misspelt.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    with prints_on_stderr():
        manager.register(module)
        _check_hooks(manager)
        offered = {kind: getattr(manager.hook, kind)() for kind in KINDS}
    entries: dict[str, list[Entry]] = {}
    for kind, results in offered.items():
        for result in results:  # more than one where hooks are named by specname
            if type(result) not in (list, tuple):  # what is derived from them may never end
                raise TypeError(f"hook {kind}() returned {result!r}; expected a list of Entry")
            for entry in result:
                if type(entry) is not Entry:
                    raise TypeError(f"hook {kind}() returned {entry!r}, which is not an Entry")
                entry.check()
                if kind == "weights":
                    entry.check_file()
            # Copies, as the plugin may still change its own.
            entries[kind] = [*entries.get(kind, []), *map(replace, result)]
        counts = Counter(entry.name for entry in entries.get(kind, []))
        for name in (name for name, count in counts.items() if count > 1):
            raise ValueError(f"hook {kind}() offers {name!r} more than once")
    if not entries:
        raise ValueError("it implements no hook of robust_restoration (is @hookimpl missing?)")
    return entries


def _check_hooks(manager: pluggy.PluginManager) -> None:
    """A misspelt hook is an error, not silence."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        for name, hook in vars(manager.hook).items():
            if isinstance(hook, pluggy.HookCaller) and not hook.has_spec():
                raise ValueError(
                    f"there is no hook {name!r}. {did_you_mean(name, list(KINDS))}"
                ) from error
        raise


def discover(*, strict: bool = False) -> list[Plugin]:
    """Find every installed plugin.

    Args:
        strict: Raise what a broken plugin raises, for authors of plugins.

    Returns:
        One record a plugin, sorted by name, this distribution's own first.
    """
    disabled = {n.strip() for n in os.environ.get(DISABLE_VARIABLE, "").split(",") if n.strip()}
    origin = cache(_origin)  # one distribution has many entry points
    points = [(point, *origin(point.dist)) for point in metadata.entry_points(group=PROJECT)]
    points.sort(key=lambda p: (_canonical(p[1]) != PROJECT, p[0].name, p[1]))
    taken = {point.name for point, *_ in points}
    families: dict[str, str] = {}  # what names of this distribution's entries begin with
    plugins: dict[str, Plugin] = {}
    clashes: list[Plugin] = []
    for point, distribution, version in points:
        plugin = Plugin(
            cleaned(point.name), cleaned(point.value), cleaned(distribution), cleaned(version)
        )
        first = plugins.get(point.name)
        if first is not None:
            if first.distribution == distribution and first.module == point.value:
                continue  # the same distribution seen twice on sys.path
            plugin.status = "clash"
            plugin.reason = f"the name {point.name!r} is taken by {first.distribution}"
            clashes.append(plugin)
            continue
        plugins[point.name] = plugin
        if point.name in disabled:
            plugin.status, plugin.reason = "disabled", f"named in {DISABLE_VARIABLE}"
            continue
        try:
            if plugin.name != point.name or not NAME.fullmatch(point.name):
                raise ValueError(
                    "its name is too long, or has other than letters, digits and _ . - /"
                )
            if point.name in families:
                owner = families[point.name]
                raise ValueError(
                    f"names that begin with '{point.name}/' belong to the plugin {owner!r}"
                )
            with contained() as plugin.changed:
                entries = read_entries(point.load())
            for head in _heads(entries):
                if head in taken and not plugin.builtin:
                    raise ValueError(
                        f"it offers '{head}/...', and only the plugin {head!r} may give such names"
                    )
                if plugin.builtin:
                    families[head] = plugin.name
            plugin.entries = entries
        except BaseException as error:  # a plugin may raise anything, and exit
            if strict:
                raise
            plugin.status, plugin.reason = "broken", one_line(error)
    return [*plugins.values(), *clashes]


def _heads(entries: dict[str, list[Entry]]) -> set[str]:
    """What stands before the first ``/`` of entries' names; those of weights begin with a kind."""
    names = (e.name for kind, of_kind in entries.items() if kind != "weights" for e in of_kind)
    return {name.split("/")[0] for name in names if "/" in name}


def _origin(distribution: metadata.Distribution | None) -> tuple[str, str]:
    """Name and version of a distribution, also where its metadata is damaged."""
    try:
        assert distribution is not None
        return distribution.name or "?", distribution.version or "?"
    except Exception:
        return "?", "?"


def _canonical(name: str) -> str:
    return name.lower().replace("-", "_")
