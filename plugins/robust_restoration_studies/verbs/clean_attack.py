"""The command ``clean-attack``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import PAPER, Attack, Data, Denoiser, Out, Sigma, level, load


def clean_attack(
    denoiser: Denoiser,
    data: Data,
    out: Out = None,
    attack: Attack = PAPER,
    on_clean: Annotated[
        str, typer.Option(help="The attack on the clean images.")
    ] = "denoising_pgd eps=0.157 steps=10",
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Attack clean images about as strongly as noise, beside attacks on noisy ones.

    Example:  robust-restoration clean-attack --denoiser dncnn_b=nt --data set12 --limit 2
    -o results/clean
    """
    check_out(out, overwrite)
    from robust_restoration_studies.clean_attack import clean_attack as study

    found = study(
        load(denoiser, device),
        data,
        attack=attack,
        on_clean=on_clean,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
