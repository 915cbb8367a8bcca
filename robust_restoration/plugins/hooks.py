"""The hooks through which a plugin offers what it has, and the entry in which it does so."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pluggy

from robust_restoration.errors import cleaned

PROJECT = "robust_restoration"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

LONGEST = 1000  # characters of a text
# Parts joined by "/", and ":" at the end of a family's name.
NAME = re.compile(r"[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*:?")


@dataclass(frozen=True)
class Entry:
    """One thing a plugin offers, as data: listing entries imports nothing.

    Attributes:
        name: The name users call it by. A name that ends in ``:`` is a family:
            ``create_purifier("denoiser:NAME")`` calls the target of ``denoiser:``
            with ``"NAME"`` as its first argument.
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
            defense by its name, which comes first; a verb for ``"Tiled"``,
            ``"certify"``, ``"create_certifier"``, ``"explain"``, ``"fit_purifier"``,
            ``"load_classifier"``, ``"load_denoiser"`` (each takes a word of the command line and
            gives a module in eval mode), ``"tables"``, ``"plot"``, ``"latex"``, ``"to_html"``,
            ``"write_strip"``, ``"curves"``, ``"recipe_of"``, ``"write_recipe"`` or
            ``"train_command"``. See `Registry.default`.
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

    def check(self) -> None:
        """Raise a `TypeError` or `ValueError` where a field is not what it should be."""
        if type(self.roles) is not tuple:
            raise TypeError(
                f"entry {self.name!r} has roles={self.roles!r}; expected a tuple of words, such as "
                "('classifier',)"
            )
        texts = [(name, text) for name, text in vars(self).items() if name != "roles"]
        texts += [("roles", role) for role in self.roles]
        for field, text in texts:
            if type(text) is not str:
                raise TypeError(f"an entry has {field}={text!r}; expected text")
        parts = self.name.split("/")
        if len(self.name) > 100 or not NAME.fullmatch(self.name) or {".", ".."} & set(parts):
            raise ValueError(
                f"entry {cleaned(self.name)!r} has a name with other than letters, digits and "
                "_ . - / (and one : at the end), or of more than 100 characters, or with a part "
                "that is a folder's"
            )
        for field, text in texts:
            if len(text) > LONGEST or not text.isprintable():
                raise ValueError(
                    f"entry {cleaned(self.name)!r} has a {field} of more than {LONGEST} "
                    "characters, or that cannot be printed; expected one line"
                )
        if ":" not in self.target:
            raise ValueError(
                f"entry {self.name!r} has target {self.target!r}; "
                "expected 'package.module:attribute'"
            )

    def check_file(self) -> None:
        """Raise a `ValueError` unless the target is a file of its package, as weights' are."""
        package, _, file = self.target.partition(":")
        if not package.isidentifier() or file.startswith("/") or "\\" in file or ":" in file or (
            {"", ".", ".."} & set(file.split("/"))
        ):
            raise ValueError(
                f"entry {self.name!r} has target {self.target!r}; expected a file within its "
                "package, 'package:weights/FILE.safetensors'"
            )


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
def checks() -> list[Entry]:  # type: ignore[empty-body]
    """Looks at an attack in the making: ``(task, subject, attack, attacked, block)``.

    Functions that return a sentence for each sign that its figures are not the worst there is; see
    `robust_restoration.evaluation.tasks`.
    """


@hookspec
def remarks() -> list[Entry]:  # type: ignore[empty-body]
    """Remarks on a `Result`: functions of it that return sentences."""


@hookspec
def certifiers() -> list[Entry]:  # type: ignore[empty-body]
    """Certifiers: called with a classifier and options, with ``certify(images, ...)``."""


@hookspec
def recipes() -> list[Entry]:  # type: ignore[empty-body]
    """Recipes: a `Recipe` of settings and options, or a function that returns one."""


@hookspec
def weights() -> list[Entry]:  # type: ignore[empty-body]
    """Weights for an entry of this or another plugin.

    Named ``KIND/ENTRY.TAG``, such as ``purifiers/smooth.resnet50``; the target is a file of the
    package, ``package:weights/smooth.resnet50.safetensors``, with its model card beside it.
    """


@hookspec
def verbs() -> list[Entry]:  # type: ignore[empty-body]
    """Functions that the core calls, or users as ``rr.explain``, by their role."""


@hookspec
def commands() -> list[Entry]:  # type: ignore[empty-body]
    """Commands of the command line: functions that typer takes, or a ``typer.Typer`` of several.

    Their module loads no torch.
    """


KINDS = tuple(name for name, value in globals().items() if hasattr(value, f"{PROJECT}_spec"))
