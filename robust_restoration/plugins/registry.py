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
        self._by_name: dict[str, dict[str, list[Offer]]] = {kind: {} for kind in KINDS}
        self._by_qualified: dict[str, dict[str, Offer]] = {kind: {} for kind in KINDS}
        for plugin in plugins:
            for kind, entries in plugin.entries.items():
                for offer in (Offer(plugin.name, entry) for entry in entries):
                    self.offers[kind].append(offer)
                    self._by_name[kind].setdefault(offer.entry.name, []).append(offer)
                    self._by_qualified[kind][offer.qualified] = offer

    def list(self, kind: str, pattern: str = "*") -> list[str]:
        """Names of a kind that match a glob pattern, sorted; clashing ones as ``plugin/name``."""
        return sorted(
            self.shortest(kind, o)
            for o in self.offers[kind]
            if fnmatch.fnmatchcase(o.entry.name, pattern)
            or fnmatch.fnmatchcase(o.qualified, pattern)
        )

    def shortest(self, kind: str, offer: Offer) -> str:
        """An offer's bare name where no other has it, else its qualified one."""
        alone = len(self._by_name[kind][offer.entry.name]) == 1
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
        same = self._by_name[kind].get(name, [])
        if len(same) == 1:
            return same[0], None
        if same:
            each = " or ".join(repr(o.qualified) for o in same)
            raise UnknownNameError(
                f"{len(same)} plugins offer the {kind[:-1]} {name!r}: write {each}."
            )
        if name in self._by_qualified[kind]:
            return self._by_qualified[kind][name], None
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
        family = f"{name.partition(':')[0]}:"
        return any(
            word in offers
            for word in (name, family)
            for offers in (self._by_name[kind], self._by_qualified[kind])
        )

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
        target = load_target(offer.entry)
        if option in options_of(target):
            return True
        if inspect.isclass(target):  # its **options are those of its bases, looked at already
            return False
        parameters = inspect.signature(target).parameters.values()
        return any(p.kind is p.VAR_KEYWORD for p in parameters)

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
        elif plugin.changed:
            warnings.warn(
                f"Plugin {plugin.name!r} of {plugin.distribution} {plugin.version} had set, when "
                f"it was imported, {', '.join(plugin.changed)}: put back as it was.",
                PluginWarning,
                stacklevel=2,
            )
    return found
