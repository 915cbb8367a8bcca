"""The hooks through which a plugin offers what it has, and the entry in which it does so."""

from __future__ import annotations

from dataclasses import dataclass

import pluggy

PROJECT = "robust_restoration"
KINDS = (
    "denoisers",
    "attacks",
    "defenses",
    "purifiers",
    "datasets",
    "noises",
    "metrics",
    "certifiers",
    "recipes",
    "commands",
)

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class Entry:
    """One thing a plugin offers, as data: listing entries imports nothing.

    Attributes:
        name: The name users call it by. A name that ends in ``:`` is a family:
            ``create_purifier("denoiser:dncnn_b")`` calls the target of ``denoiser:``
            with ``"dncnn_b"`` as its first argument.
        target: Where it is, as ``"package.module:attribute"``; a class or a function.
        summary: One line on what it does.
        paper: Where it comes from, such as ``"arXiv:2201.04397"``.
        requires: The module that must be importable for it, where that is not a dependency of
            the plugin.
        install: The command that installs ``requires``.
        roles: What it is the default for: an attack for ``"denoiser"``, ``"classifier"`` or
            ``"black-box"`` (an attack on classifiers that takes no gradients); a purifier for
            ``"classifier"``; a denoiser for ``"image"``; a defense for ``"denoiser"``,
            ``"purifier"`` or ``"classifier"``, what it trains; a recipe likewise, or for a
            defense by its name, which comes first. See `Registry.default`.
        default_weights: The tag of the shipped weights that commands take where none are named.
    """

    name: str
    target: str
    summary: str = ""
    paper: str = ""
    requires: str = ""
    install: str = ""
    roles: tuple[str, ...] = ()
    default_weights: str = ""


@hookspec
def denoisers() -> list[Entry]:  # type: ignore[empty-body]
    """Denoisers: classes or functions that take options and return a `Denoiser`."""


@hookspec
def attacks() -> list[Entry]:  # type: ignore[empty-body]
    """Attacks: subclasses of torchattacks' ``Attack``, called with the model and options."""


@hookspec
def defenses() -> list[Entry]:  # type: ignore[empty-body]
    """Defenses: ways of training; classes that take options and give a `Defense`."""


@hookspec
def purifiers() -> list[Entry]:  # type: ignore[empty-body]
    """Purifiers: classes or functions that take options and return a `Purifier`."""


@hookspec
def datasets() -> list[Entry]:  # type: ignore[empty-body]
    """Data sets: functions of a data root, see `robust_restoration.data.names`."""


@hookspec
def noises() -> list[Entry]:  # type: ignore[empty-body]
    """Noise models: classes or functions that take options and return a `Degradation`."""


@hookspec
def metrics() -> list[Entry]:  # type: ignore[empty-body]
    """Metrics: functions ``(restored, clean) -> (N,)`` tensor, one number an image."""


@hookspec
def certifiers() -> list[Entry]:  # type: ignore[empty-body]
    """Certifiers: called with a classifier and options, with ``certify(images, ...)``."""


@hookspec
def recipes() -> list[Entry]:  # type: ignore[empty-body]
    """Recipes: a `Recipe` of settings and options, or a function that returns one."""


@hookspec
def commands() -> list[Entry]:  # type: ignore[empty-body]
    """Commands of the command line: functions that typer takes; their module loads no torch."""
