"""The command ``radius``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import PAPER, Attack, Data, Denoisers, Out, Sigma, level, load_all


def radius(
    denoiser: Denoisers,
    data: Data,
    out: Out = None,
    attack: Attack = PAPER,
    most: Annotated[float, typer.Option(help="The largest, in lengths of the attack.")] = 3.0,
    radii: Annotated[int, typer.Option(help="How many.")] = 6,
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Go ever further from each noisy image in some directions, and see how PSNR falls.

    Example:  robust-restoration radius --denoiser dncnn_b=nt --denoiser dncnn_b=hat --data set12
    --limit 2 -o results/radius
    """
    check_out(out, overwrite)
    from robust_restoration_studies.radius import radius_sweep

    found = radius_sweep(
        load_all(denoiser, device),
        data,
        attack=attack,
        most=most,
        radii=radii,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
