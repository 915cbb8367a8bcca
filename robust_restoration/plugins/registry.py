"""What the installed plugins offer: listed, found and created by name."""

from __future__ import annotations

import fnmatch
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from robust_restoration.errors import PluginError, UnknownNameError, did_you_mean

from .discovery import Plugin, discover
from .hooks import KINDS, Entry
from .targets import call, load_target, options_of


class PluginWarning(UserWarning):
    """A plugin could not be used; everything else can."""


@dataclass(frozen=True)
class Offer:
    """An entry together with the plugin that offers it."""

    plugin: str
    entry: Entry

    @property
    def qualified(self) -> str:
        """The name that stays unambiguous whatever else is installed."""
        return f"{self.plugin}/{self.entry.name}"


class Registry:
    """What the installed plugins offer.

    Args:
        plugins: The plugins, as `discover` finds them.
    """

    def __init__(self, plugins: list[Plugin]) -> None:
        self.plugins = plugins
        self.offers: dict[str, list[Offer]] = {kind: [] for kind in KINDS}
        self._named: dict[str, dict[str, list[Offer]]] = {kind: {} for kind in KINDS}
        for plugin in plugins:
            for kind, entries in plugin.entries.items():
                for offer in (Offer(plugin.name, entry) for entry in entries):
                    self.offers[kind].append(offer)
                    for name in (offer.entry.name, offer.qualified):
                        self._named[kind].setdefault(name, []).append(offer)

    def list(self, kind: str, pattern: str = "*") -> list[str]:
        """Names of a kind that match a glob pattern, sorted; clashing ones as ``plugin/name``."""
        return sorted(
            self.shortest(kind, o)
            for o in self.offers[kind]
            if any(fnmatch.fnmatchcase(n, pattern) for n in (o.entry.name, o.qualified))
        )

    def shortest(self, kind: str, offer: Offer) -> str:
        """An offer's bare name where no other has it, else its qualified one."""
        alone = len(self._named[kind][offer.entry.name]) == 1
        return offer.entry.name if alone else offer.qualified

    def find(self, kind: str, name: str) -> tuple[Offer, str | None]:
        """The offer of that name, and the argument of a family (``None`` for a plain entry).

        Raises:
            UnknownNameError: If none has the name, or more than one has.
            PluginError: If the name's plugin is broken or switched off.
        """
        if not isinstance(name, str):
            raise UnknownNameError(
                f"A {kind[:-1]} was asked for by {type(name).__name__}; expected its name, as "
                f"robust-restoration list {kind} shows it."
            )
        same = self._named[kind].get(name, [])
        if len(same) == 1:
            return same[0], None
        if same:
            each = " or ".join(repr(o.qualified) for o in same)
            raise UnknownNameError(
                f"{len(same)} plugins offer the {kind[:-1]} {name!r}: write {each}."
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
        known = self.list(kind)
        longer = [n for n in known if name and n.endswith(f"/{name}")]
        near = f"Did you mean {longer[0]!r}?" if longer else did_you_mean(name, known)
        raise UnknownNameError(f"{problem} {near}{hint}")

    def has(self, kind: str, name: str) -> bool:
        """Whether some plugin in use offers a name, a family's members included."""
        return bool({name, f"{name.partition(':')[0]}:"} & self._named[kind].keys())

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

    def accepted(self, kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Those of ``options`` that a name's target takes, itself or through its ``**options``."""
        offer, _ = self.find(kind, name)
        target = load_target(offer.entry)
        if not inspect.isclass(target):  # a class's **options are those of its bases, seen below
            parameters = inspect.signature(target).parameters.values()
            if any(p.kind is p.VAR_KEYWORD for p in parameters):
                return dict(options)
        known = options_of(target)
        return {option: value for option, value in options.items() if option in known}


@cache
def registry() -> Registry:
    """The registry of what is installed; warns once of each broken plugin."""
    found = Registry(discover())
    for plugin in found.plugins:
        which = f"Plugin {plugin.name!r} of {plugin.distribution} {plugin.version}"
        if plugin.status in ("broken", "clash"):
            mend = f"To be rid of it: pip uninstall {plugin.distribution}"
            said = f"{which} is not used: {plugin.reason}. {mend}"
            warnings.warn(said, PluginWarning, stacklevel=2)
        elif plugin.changed:
            changed = ", ".join(plugin.changed)
            said = f"{which} had set, when it was imported, {changed}: put back as it was."
            warnings.warn(said, PluginWarning, stacklevel=2)
    return found
