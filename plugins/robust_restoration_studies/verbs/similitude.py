"""The command ``similitude``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import Attack, Data, Out, Several, Sigma, level, load_all


def similitude(
    denoiser: Several,
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
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Turn the noise about each image, and compare where denoisers fail: robustness similitude.

    Example:  robust-restoration similitude --denoiser dncnn_b=nt --denoiser dncnn_b=hat
    --data set12 --limit 2 --count 24 -o results/similitude
    """
    check_out(out, overwrite)
    from robust_restoration.numbers import parse_attack
    from robust_restoration_studies.robustness_similitude import similitude as study

    name, options = parse_attack(attack)
    result = study(
        load_all(denoiser, device),
        data,
        source=source or None,
        attack=name,
        attack_options=options,
        sigma=level(sigma),
        count=count,
        shape=shape,
        limit=limit or None,
        seed=seed,
    )
    hand_over(result, out, as_json)
