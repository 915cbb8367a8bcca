"""The command ``local-worst-case``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import Data, Denoisers, Out, Sigma, level, load_all


def local_worst_case(
    denoiser: Denoisers,
    data: Data,
    out: Out = None,
    sigma: Sigma = "25",
    steps: Annotated[int, typer.Option(help="Of the power iteration.")] = 30,
    probes: Annotated[int, typer.Option(help="Of the sensitivity map.")] = 16,
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """How much denoisers stretch the smallest changes, and where, beside how well they denoise.

    Example:  robust-restoration local-worst-case --denoiser dncnn_b=nt --denoiser dncnn_b=hat
    --data set12 --limit 2 -o results/local
    """
    check_out(out, overwrite)
    from robust_restoration_studies.local_worst_case import local_worst_case as study

    found = study(
        load_all(denoiser, device),
        data,
        sigma=level(sigma),
        steps=steps,
        probes=probes,
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
