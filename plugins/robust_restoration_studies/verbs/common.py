"""Options that the studies' commands share, and how they load denoisers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from robust_restoration.cli.options import DENOISER_HELP, LEVEL_HELP, names

Denoiser = Annotated[
    str, typer.Option("--denoiser", autocompletion=names("denoisers"), help=DENOISER_HELP)
]
Denoisers = Annotated[
    list[str],
    typer.Option(
        "--denoiser",
        autocompletion=names("denoisers"),
        help=f"{DENOISER_HELP} Give several; the first is attacked.",
    ),
]
Several = Annotated[
    list[str], typer.Option("--denoiser", help=f"{DENOISER_HELP} Give several.")
]
Data = Annotated[
    str,
    typer.Option(
        autocompletion=names("datasets"),
        help="A data set's name (see: robust-restoration datasets) or a folder.",
    ),
]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write OUT.json, OUT.md, OUT.png.")]
Attack = Annotated[
    str,
    typer.Option(
        autocompletion=names("attacks"),
        help="An attack with its options, such as 'NAME eps=3 steps=5'; see: robust-restoration "
        "list attacks."
    ),
]
Sigma = Annotated[str, typer.Option(help=f"Level of the Gaussian noise; {LEVEL_HELP}")]
PAPER = "denoising_pgd target=noisy eps=0.012"


def load(word: str, device: str) -> Any:
    """A denoiser by its word, on a device."""
    return load_all([word], device)[word]


def load_all(words: list[str], device: str) -> dict[str, Any]:
    """Denoisers by their words, on a device."""
    from robust_restoration import verbs
    from robust_restoration.models.device import device_of

    where = device_of(device)
    return {word: verbs.load_denoiser(word).to(where) for word in words}


def level(word: str) -> float:
    """A level of noise."""
    from robust_restoration.numbers import parse_level

    return parse_level(word)
