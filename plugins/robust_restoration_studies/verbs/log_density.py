"""The command ``log-density``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import PAPER, Attack, Data, Denoiser, Out, Sigma, level, load


def log_density(
    denoiser: Denoiser,
    data: Data,
    out: Out = None,
    attack: Attack = PAPER,
    side: Annotated[int, typer.Option(help="Side of the squares of noise.")] = 40,
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """How likely attacked noise is, beside Gaussian noise and what typical-set training draws.

    Example:  robust-restoration log-density --denoiser dncnn_b=nt --data set12 --limit 4
    -o results/density
    """
    check_out(out, overwrite)
    from robust_restoration_studies.log_density import log_densities

    found = log_densities(
        load(denoiser, device),
        data,
        attack=attack,
        side=side,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
