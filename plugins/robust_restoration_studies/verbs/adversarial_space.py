"""The command ``adversarial-space``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Overwrite, Seed

from .common import PAPER, Attack, Data, Denoiser, Out, Sigma, level, load


def adversarial_space(
    denoiser: Denoiser,
    data: Data,
    out: Out = None,
    attack: Attack = PAPER,
    sigma: Sigma = "25",
    number: Annotated[int, typer.Option(help="Which image, from 0.")] = 0,
    radii: Annotated[int, typer.Option(help="Of the disc.")] = 5,
    angles: Annotated[int, typer.Option(help="Directions of disc and spheres.")] = 24,
    latitudes: Annotated[int, typer.Option(help="Of the spheres.")] = 7,
    steps: Annotated[int, typer.Option(help="Points on the lines.")] = 11,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Look about one noisy image: a line, a disc and two spheres, with the drop as colour.

    Example:  robust-restoration adversarial-space --denoiser dncnn_b=nt --data set12
    -o results/space
    """
    check_out(out, overwrite)
    from robust_restoration_studies.space import explore_space

    found = explore_space(
        load(denoiser, device),
        data,
        attack=attack,
        sigma=level(sigma),
        number=number,
        radii=radii,
        angles=angles,
        latitudes=latitudes,
        steps=steps,
        seed=seed,
    )
    hand_over(found, out, as_json)
