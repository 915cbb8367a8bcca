"""The command ``noise-histogram``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import Data, Denoiser, Out, Sigma, level, load


def noise_histogram(
    denoiser: Denoiser,
    data: Data,
    out: Out = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="An attack with its options; may be given several times. By default "
            "denoising-PGD in both norms, 0.012."
        ),
    ] = None,
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Histograms of attacked noise, and its Wasserstein distance to Gaussian noise.

    Example:  robust-restoration noise-histogram --denoiser dncnn_b=nt --data set12 --limit 2
    -o results/histogram
    """
    check_out(out, overwrite)
    from robust_restoration_studies.noise_histogram import ATTACKS
    from robust_restoration_studies.noise_histogram import noise_histogram as study

    found = study(
        load(denoiser, device),
        data,
        attacks=attack or ATTACKS,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
