"""Finds plugins through entry points, lists what they offer, and creates it by name.

A plugin that fails to import, or returns nonsense, becomes a row with its reason and disturbs
nothing else. Nothing here imports torch: entries are data until one is created.
"""

from __future__ import annotations

import fnmatch
import inspect
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

import pluggy

from robust_restoration.errors import PluginError, UnknownNameError, did_you_mean, one_line

from . import hooks as hookspecs
from .hooks import KINDS, PROJECT, Entry
from .targets import call, load_target

DISABLE_VARIABLE = "ROBUST_RESTORATION_DISABLE_PLUGINS"


class PluginWarning(UserWarning):
    """A plugin could not be used; everything else can."""


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
    """

    name: str
    module: str
    distribution: str
    version: str
    status: str = "active"
    reason: str = ""
    entries: dict[str, list[Entry]] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    """An entry together with the plugin that offers it."""

    plugin: str
    entry: Entry

    @property
    def qualified(self) -> str:
        """The name that stays unambiguous whatever else is installed."""
        return f"{self.plugin}/{self.entry.name}"


def read_entries(module: Any) -> dict[str, list[Entry]]:
    """What one plugin's hooks offer, by kind.

    Each plugin is asked on its own, so that its faults stay its own.

    Raises:
        TypeError: If a hook returns what is not a list of entries.
        ValueError: If an entry has no usable target, two have one name, or there is no hook.
        pluggy.PluginValidationError: If a hook's name or arguments are misspelt.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()  # a misspelt hook is an error, not silence
    found: dict[str, list[Entry]] = {}
    for kind in KINDS:
        for result in getattr(manager.hook, kind)():
            if not isinstance(result, list | tuple):
                raise TypeError(f"hook {kind}() returned {result!r}; expected a list of Entry")
            for entry in result:
                if not isinstance(entry, Entry):
                    raise TypeError(f"hook {kind}() returned {entry!r}, which is not an Entry")
                if ":" not in entry.target:
                    raise ValueError(
                        f"entry {entry.name!r} has target {entry.target!r}; "
                        "expected 'package.module:attribute'"
                    )
                if any(entry.name == other.name for other in found.get(kind, [])):
                    raise ValueError(f"hook {kind}() offers {entry.name!r} more than once")
                found.setdefault(kind, []).append(entry)
            found.setdefault(kind, [])
    if not found:
        raise ValueError("it implements no hook of robust_restoration (is @hookimpl missing?)")
    return found


def discover(*, strict: bool = False) -> list[Plugin]:
    """Find every installed plugin.

    Args:
        strict: Raise what a broken plugin raises, for authors of plugins.

    Returns:
        One record a plugin, sorted by name, this distribution's own first.
    """
    disabled = {n.strip() for n in os.environ.get(DISABLE_VARIABLE, "").split(",") if n.strip()}
    points = [(point, *_origin(point)) for point in metadata.entry_points(group=PROJECT)]
    points.sort(key=lambda p: (_canonical(p[1]) != PROJECT, p[0].name, p[1]))
    plugins: dict[str, Plugin] = {}
    clashes: list[Plugin] = []
    for point, distribution, version in points:
        plugin = Plugin(point.name, point.value, distribution, version)
        if point.name in plugins:
            first = plugins[point.name]
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
            plugin.entries = read_entries(point.load())
        except (Exception, SystemExit) as error:
            if strict:
                raise
            plugin.status, plugin.reason = "broken", one_line(error)
    return [*plugins.values(), *clashes]


def _origin(point: metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of an entry point's distribution, also where its metadata is damaged."""
    try:
        assert point.dist is not None
        return point.dist.name or "?", point.dist.version or "?"
    except Exception:
        return "?", "?"


def _canonical(name: str) -> str:
    return name.lower().replace("-", "_")


class Registry:
    """What the installed plugins offer.

    Args:
        plugins: The plugins, as `discover` finds them.
    """

    def __init__(self, plugins: list[Plugin]) -> None:
        self.plugins = plugins
        self.offers: dict[str, list[Offer]] = {kind: [] for kind in KINDS}
        for plugin in plugins:
            for kind, entries in plugin.entries.items():
                self.offers[kind] += [Offer(plugin.name, entry) for entry in entries]

    def list(self, kind: str, pattern: str = "*") -> list[str]:
        """Names of a kind that match a glob pattern, sorted; clashing ones as ``plugin/name``."""
        names = [o.entry.name for o in self.offers[kind]]
        return sorted(
            o.entry.name if names.count(o.entry.name) == 1 else o.qualified
            for o in self.offers[kind]
            if fnmatch.fnmatchcase(o.entry.name, pattern)
            or fnmatch.fnmatchcase(o.qualified, pattern)
        )

    def find(self, kind: str, name: str) -> tuple[Offer, str | None]:
        """The offer of that name, and the argument of a family (``None`` for a plain entry).

        Raises:
            UnknownNameError: If none has the name, or more than one has.
            PluginError: If the name's plugin is broken or switched off.
        """
        offers = self.offers[kind]
        for match in (
            [o for o in offers if o.entry.name == name],
            [o for o in offers if o.qualified == name],
        ):
            if len(match) == 1:
                return match[0], None
            if match:
                each = " or ".join(repr(o.qualified) for o in match)
                raise UnknownNameError(
                    f"{len(match)} plugins offer the {kind[:-1]} {name!r}: write {each}."
                )
        family, colon, argument = name.partition(":")
        if colon and argument:
            offer, _ = self.find(kind, family + ":")
            return offer, argument
        head = name.split("/", 1)[0]
        idle = [plugin for plugin in self.plugins if plugin.status in ("broken", "disabled")]
        for plugin in idle:
            if plugin.name == head:
                raise PluginError(f"Plugin {head!r} is {plugin.status}: {plugin.reason}.")
        problem = f"No plugin offers the {kind[:-1]} {name!r}."
        shown = ", ".join(f"{plugin.name} ({plugin.status})" for plugin in idle)
        hint = f" Plugins not in use: {shown}." if idle else ""
        raise UnknownNameError(f"{problem} {did_you_mean(name, self.list(kind))}{hint}")

    def default(self, kind: str, role: str) -> str:
        """The qualified name of the entry that has a role: what is taken where none is named.

        The first such entry in the order of `discover`, in which this distribution's own plugins
        come first, so that another plugin cannot take the place of a default.

        Args:
            kind: Such as ``"attacks"``.
            role: See `Entry.roles`.

        Raises:
            UnknownNameError: If no plugin in use offers one.
        """
        for offer in self.offers[kind]:
            if role in offer.entry.roles:
                return offer.qualified
        raise UnknownNameError(
            f"No plugin in use offers a default of {kind} for {role!r}. Name one: "
            f"{did_you_mean('', self.list(kind))}"
        )

    def create(self, kind: str, name: str, /, *args: Any, **options: Any) -> Any:
        """Create what a name stands for.

        Raises:
            UnknownNameError: If no plugin offers the name.
            InputError: If an option is not one it takes.
        """
        offer, argument = self.find(kind, name)
        target = load_target(offer.entry)
        if argument is not None:
            args = (argument, *args)
        return call(target, name, args, options)

    def takes(self, kind: str, name: str, option: str) -> bool:
        """Whether a name's target has an option, itself or through ``**options`` it passes on."""
        offer, _ = self.find(kind, name)
        parameters = inspect.signature(load_target(offer.entry)).parameters
        return option in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def accepted(self, kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Those of ``options`` that a name's target takes: what suits most, offered to all."""
        return {o: value for o, value in options.items() if self.takes(kind, name, o)}


@cache
def registry() -> Registry:
    """The registry of what is installed; warns once of each broken plugin."""
    found = Registry(discover())
    for plugin in found.plugins:
        if plugin.status in ("broken", "clash"):
            warnings.warn(
                f"Plugin {plugin.name!r} of {plugin.distribution} {plugin.version} is not used: "
                f"{plugin.reason}. To be rid of it: pip uninstall {plugin.distribution}",
                PluginWarning,
                stacklevel=2,
            )
    return found
