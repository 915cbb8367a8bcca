"""The command ``patch``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import PAPER, Attack, Data, Denoiser, Out, Sigma, level, load


def patch(
    denoiser: Denoiser,
    data: Data,
    out: Out = None,
    attack: Attack = PAPER,
    box: Annotated[
        str,
        typer.Option("--patch", help="top,left,height,width in pixels; the middle by default."),
    ] = "",
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Attack a patch of each image, in both ways, and see where it does harm.

    Example:  robust-restoration patch --denoiser dncnn_b=nt --data set12 --limit 2
    --patch 64,64,80,80 -o results/patch
    """
    check_out(out, overwrite)
    from robust_restoration.errors import InputError
    from robust_restoration.numbers import parse_value
    from robust_restoration_studies.patches import patch_attacks

    numbers = parse_value(box) if box else None
    four = isinstance(numbers, tuple) and [type(number) for number in numbers] == [int] * 4
    if box and not four:
        raise InputError(f"--patch is {box!r}; expected top,left,height,width: 64,64,80,80.")
    found = patch_attacks(
        load(denoiser, device),
        data,
        attack=attack,
        patch=numbers,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
