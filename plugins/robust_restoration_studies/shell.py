"""The commands ``transfer`` and ``similitude``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from robust_restoration.cli.app import Json, hand_over
from robust_restoration.cli.options import (
    DENOISER_HELP,
    LEVEL_HELP,
    Device,
    Limit,
    Seed,
)

Denoisers = Annotated[
    list[str], typer.Option("--denoiser", help=f"{DENOISER_HELP} Give several.")
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


def transfer(
    denoiser: Denoisers,
    data: Data,
    out: Out = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="A denoiser that attacks are made on; by default each of them."),
    ] = None,
    attack: Attack = "denoising_pgd",
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Attack each denoiser, and restore what comes of it with each: how far attacks transfer.

    Example:  robust-restoration transfer --denoiser dncnn_b=nt --denoiser dncnn_b=hat
    --data set12 --limit 4 -o results/transfer
    """
    from robust_restoration.numbers import ATTACK_LEVELS, parse_call, parse_level

    from .transferability import transfer as study

    name, options = parse_call(attack, levels=ATTACK_LEVELS)
    result = study(
        _load(denoiser, device),
        data,
        sources=source or None,
        attack=name,
        attack_options=options,
        sigma=parse_level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(result, out, as_json)


def similitude(
    denoiser: Denoisers,
    data: Data,
    out: Out = None,
    source: Annotated[
        str,
        typer.Option(help="The denoiser whose attack spans the plane; the first by default."),
    ] = "",
    attack: Attack = "denoising_pgd",
    sigma: Sigma = "25",
    count: Annotated[int, typer.Option(help="Directions about each image.")] = 100,
    shape: Annotated[
        str, typer.Option(help="circle, or ellipse as the paper's authors have it.")
    ] = "circle",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Turn the noise about each image, and compare where denoisers fail: robustness similitude.

    Example:  robust-restoration similitude --denoiser dncnn_b=nt --denoiser dncnn_b=hat
    --data set12 --limit 2 --count 24 -o results/similitude
    """
    from robust_restoration.numbers import ATTACK_LEVELS, parse_call, parse_level

    from .robustness_similitude import similitude as study

    name, options = parse_call(attack, levels=ATTACK_LEVELS)
    result = study(
        _load(denoiser, device),
        data,
        source=source or None,
        attack=name,
        attack_options=options,
        sigma=parse_level(sigma),
        count=count,
        shape=shape,
        limit=limit or None,
        seed=seed,
    )
    hand_over(result, out, as_json)


def _load(words: list[str], device: str) -> dict[str, Any]:
    from robust_restoration.models.create import load_denoiser
    from robust_restoration.models.device import device_of

    where = device_of(device)
    return {word: load_denoiser(word).to(where) for word in words}
