"""The command ``attacked-set``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import Json, emit, leaves, say, show
from robust_restoration.cli.options import Device, Limit, Overwrite, Seed

from .common import PAPER, Attack, Data, Denoiser, Sigma, level, load


def attacked_set(
    denoiser: Denoiser,
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder that becomes the set.")],
    attack: Attack = PAPER,
    sigma: Sigma = "25",
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make a fixed set of attacked images on one denoiser, to evaluate others on.

    Then evaluate any denoiser with --data attacked-set:OUT.

    Example:  robust-restoration attacked-set --denoiser dncnn_b=nt_25 --data set12
    --attack 'l2_denoising_pgd target=noisy clip=none' -o Set12-Adv-L2
    """
    from robust_restoration_studies.write_attacked_set import write_attacked_set

    leaves(f"{out} may hold a part of the set, and --overwrite makes it anew")
    found = write_attacked_set(
        load(denoiser, device),
        data,
        out,
        attack=attack,
        sigma=level(sigma),
        limit=limit or None,
        seed=seed,
        overwrite=overwrite,
        name=denoiser,
    )
    say(f"Wrote {len(found.names)} images and set.json to {out}.")
    if as_json:
        emit(found.to_dict())
    else:
        show(found.to_markdown())
