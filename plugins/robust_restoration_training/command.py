"""The command ``train``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from robust_restoration.cli.app import leaves, say
from robust_restoration.cli.options import CLASSIFIER_HELP, LEVEL_HELP, Limit, Set, names
from robust_restoration.numbers import parse_levels, parse_options, parse_value
from robust_restoration.training.settings import Settings

WHAT, DATA, LOOP = "What is trained", "Data", "The loop"
WORDS = {"int": int, "float": float, "bool": bool}  # of settings' types; others come as words


def _with_loop_options(function: Callable[..., None]) -> Callable[..., None]:
    """The function with an option for each of the loop's `Settings`, in the place of ``**loop``.

    What is said of each is what the docstring of `Settings` says.
    """
    pattern = re.compile(r"^ {8}(\w+): (.*?)(?=\n {8}\w|\Z)", re.MULTILINE | re.DOTALL)
    about = dict(pattern.findall((Settings.__doc__ or "").partition("Attributes:\n")[2]))
    signature = inspect.signature(function, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    for setting in fields(Settings):
        kind = WORDS.get(str(setting.type), str)
        help = " ".join(about[setting.name].replace("`", "").split())
        option = typer.Option(help=help, rich_help_panel=LOOP)
        annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
        own.append(
            inspect.Parameter(
                setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
            )
        )
    function.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in own}
    return function


def _read(name: str, value: Any) -> Any:
    """An option's value; what has several, such as ``0.5,0.9``, comes as a word."""
    several = next(s for s in fields(Settings) if s.name == name).type.startswith("tuple")
    read = parse_value(value, name) if several else value
    return (read,) if several and not isinstance(read, tuple) else read


@_with_loop_options
def train(
    out: Annotated[Path, typer.Option("-o", "--out", help="The run's folder; resumes there.")],
    defense: Annotated[
        str,
        typer.Argument(
            autocompletion=names("defenses"),
            help="Which training, where no run's recipe says it; see: robust-restoration list "
            "defenses."
        ),
    ] = "",
    denoiser: Annotated[
        str,
        typer.Option(
            autocompletion=names("denoisers"),
            help="The denoiser that is trained.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    purifier: Annotated[
        str,
        typer.Option(
            autocompletion=names("purifiers"),
            help="The purifier that is trained; NAME, or FAMILY:NAME.", rich_help_panel=WHAT
        ),
    ] = "",
    classifier: Annotated[
        str,
        typer.Option(
            help="What the purifier or denoiser is trained for, or, with a defense for "
            "classifiers, what is trained itself; purifier and classifier both are with one that "
            "trains the two together. " + CLASSIFIER_HELP,
            rich_help_panel=WHAT,
        ),
    ] = "",
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE, an option of what is trained, such as depth=10; may be given several "
            "times.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    init_weights: Annotated[
        str, typer.Option(help="Weights to begin from, a tag or a file.", rich_help_panel=WHAT)
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="Settings by name, see: robust-restoration list recipes; or recipe.yaml of a run, "
            "which needs nothing besides. Other options given here come before it."
        ),
    ] = "",
    settings: Set = None,
    sigma: Annotated[
        str,
        typer.Option(
            help=f"The defense's noise level, or lowest and highest such as 0-25; {LEVEL_HELP}"
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            autocompletion=names("datasets"),
            help="A data set's name or a folder of images; where a classifier takes part labelled "
            "ones, a folder with labels.csv or one subfolder a class, or an .npz with x and y.",
            rich_help_panel=DATA,
        ),
    ] = "",
    size: Annotated[
        int,
        typer.Option(
            help="Side that labelled images are brought to; 0 keeps them.", rich_help_panel=DATA
        ),
    ] = 0,
    channels: Annotated[
        int,
        typer.Option(
            help="1 for gray images, 3 for colour; 0: as the network.", rich_help_panel=DATA
        ),
    ] = 0,
    limit: Limit = 0,
    val_fraction: Annotated[
        float | None,
        typer.Option(help="Share of the images held out for validation.", rich_help_panel=DATA),
    ] = None,
    **loop: Any,
) -> None:
    """Train a denoiser, a purifier or a classifier; the same command goes on where it stopped.

    Writes OUT/NAME.safetensors with its model card, usable as NAME=FILE in other commands and as
    create_denoiser(name, weights=FILE) or create_purifier(name, weights=FILE), and
    OUT/recipe.yaml, which trains it again.

    Example:  robust-restoration train DEFENSE --denoiser NAME --data photos/ --sigma 0-25
    --steps 20000 -o runs/mine

    Example:  robust-restoration train DEFENSE --purifier NAME --classifier resnet18.a1_in1k
    --data images/ --size 224 -o runs/mine

    Example:  robust-restoration train --recipe runs/mine/recipe.yaml -o runs/again
    """
    options = parse_options(settings)
    if sigma:
        options["sigma"] = parse_levels(sigma)
    from robust_restoration.files import check_folder
    from robust_restoration.processes import Processes

    from .by_name import train_by_name

    check_folder(out)
    tell = say if Processes().main else None
    leaves(f"what was saved last is in {out}, and the same command goes on from there")
    path = train_by_name(
        defense,
        data or None,
        out,
        denoiser=denoiser,
        purifier=purifier,
        classifier=classifier,
        recipe=recipe,
        network=parse_options(network),
        options=options,
        init_weights=init_weights or None,
        size=size or None,
        channels=channels or None,
        limit=limit or None,
        val_fraction=val_fraction,
        announce=tell,
        **{name: _read(name, value) for name, value in loop.items() if value is not None},
    )
    if tell:
        tell(f"Wrote {path}.")
