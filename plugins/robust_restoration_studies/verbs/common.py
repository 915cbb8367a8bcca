"""Options that the studies' commands share, and how they load denoisers and hand results over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from robust_restoration.cli.app import emit, say, show
from robust_restoration.cli.options import DENOISER_HELP, LEVEL_HELP

Denoiser = Annotated[str, typer.Option("--denoiser", help=DENOISER_HELP)]
Denoisers = Annotated[
    list[str],
    typer.Option("--denoiser", help=f"{DENOISER_HELP} Give several; the first is attacked."),
]
Data = Annotated[
    str, typer.Option(help="A data set's name (see: robust-restoration datasets) or a folder.")
]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write OUT.json, OUT.md, OUT.png.")]
Attack = Annotated[
    str,
    typer.Option(
        help="An attack with its options, such as 'NAME eps=3 steps=5'; see: robust-restoration "
        "list attacks."
    ),
]
Sigma = Annotated[str, typer.Option(help=f"Level of the Gaussian noise; {LEVEL_HELP}")]
PAPER = "denoising_pgd target=noisy eps=0.012"


def load(word: str, device: str) -> Any:
    """A denoiser by its word, on a device."""
    from robust_restoration.models.create import load_denoiser

    return load_denoiser(word).to(device)


def load_all(words: list[str], device: str) -> dict[str, Any]:
    """Denoisers by their words."""
    return {word: load(word, device) for word in words}


def level(word: str) -> float:
    """A level of noise."""
    from robust_restoration.numbers import parse_level

    return parse_level(word)


def hand_over(result: Any, out: Path | None, as_json: bool) -> None:
    """Write a result beside ``out``, and print it."""
    from robust_restoration.files import atomic_path

    if out is not None:
        paths = {suffix: out.with_name(out.name + suffix) for suffix in (".json", ".md", ".png")}
        result.to_json(paths[".json"])
        with atomic_path(paths[".md"]) as temporary:
            temporary.write_text(result.to_markdown() + "\n", encoding="utf-8")
        result.plot(paths[".png"])
        say(f"Wrote {', '.join(map(str, paths.values()))}.")
    if as_json:
        emit(result.to_dict())
    else:
        show(result.to_markdown())
