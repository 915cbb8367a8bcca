"""The command ``transfer``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import Attack, Data, Out, Several, Sigma, level, load_all


def transfer(
    denoiser: Several,
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
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Attack each denoiser, and restore what comes of it with each: how far attacks transfer.

    Example:  robust-restoration transfer --denoiser dncnn_b=nt --denoiser dncnn_b=hat
    --data set12 --limit 4 -o results/transfer
    """
    check_out(out, overwrite)
    from robust_restoration.numbers import parse_attack
    from robust_restoration_studies.transferability import transfer as study

    name, options = parse_attack(attack)
    result = study(
        load_all(denoiser, device),
        data,
        sources=source or None,
        attack=name,
        attack_options=options,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(result, out, as_json)
