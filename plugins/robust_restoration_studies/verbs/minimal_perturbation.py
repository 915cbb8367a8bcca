"""The command ``minimal-perturbation``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import LEVEL_HELP, Device, Limit, Overwrite, Seed

from .common import PAPER, Attack, Data, Denoiser, Out, Sigma, level, load


def minimal_perturbation(
    denoiser: Denoiser,
    data: Data,
    out: Out = None,
    attack: Attack = PAPER,
    threshold: Annotated[float, typer.Option(help="By how many dB PSNR must fall.")] = 1.0,
    highest: Annotated[
        str, typer.Option(help=f"The largest eps that is tried; {LEVEL_HELP}")
    ] = "16",
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Find the least eps with which an attack lowers each image's PSNR by more than a threshold.

    Example:  robust-restoration minimal-perturbation --denoiser dncnn_b=nt --data set12 --limit 4
    --threshold 1 -o results/minimal
    """
    check_out(out, overwrite)
    from robust_restoration_studies.minimal_perturbation import minimal_perturbation as study

    found = study(
        load(denoiser, device),
        data,
        threshold=threshold,
        highest=level(highest),
        attack=attack,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
