"""The command ``attack``."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Json, app
from .denoise import default_denoiser
from .options import LEVEL_HELP, Denoiser, Device, Images, Out, Overwrite, Seed, Set
from .purify import report


@app.command(
    epilog="Example:  robust-restoration attack photos/ -o attacked --sigma 25 --eps 5"
)
def attack(
    images: Images,
    out: Out,
    denoiser: Denoiser = "",
    attack: Annotated[
        str,
        typer.Option(
            help="NAME, or 'NAME option=value ...'; see: robust-restoration list attacks. The "
            "usual attack on denoisers by default."
        ),
    ] = "",
    sigma: Annotated[
        str, typer.Option(help=f"Level of the noise that is added first; {LEVEL_HELP}")
    ] = "25",
    eps: Annotated[str, typer.Option(help=f"The attack's budget; {LEVEL_HELP}")] = "5",
    settings: Set = None,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make clean image files noisy, and attack the denoiser that will restore them.

    For each image: the attacked one (rounded to 8 bits), NAME.npz with the float arrays clean,
    noisy and attacked, and NAME.strip.png, which shows what the denoiser makes of it; NAME is its
    whole file name. Damaged files are named and skipped, and the exit status is then 1.
    """
    from robust_restoration.apply import attack_files
    from robust_restoration.models.create import load_denoiser
    from robust_restoration.numbers import (
        ATTACK_LEVELS,
        parse_call,
        parse_level,
        parse_options,
    )
    from robust_restoration.plugins.registry import registry

    chosen = attack or registry().default("attacks", "denoiser")
    name, options = parse_call(chosen, levels=ATTACK_LEVELS)
    usual = registry().accepted("attacks", name, {"eps": parse_level(eps)})
    summary = attack_files(
        images,
        out,
        load_denoiser(denoiser or default_denoiser()),
        attack=name,
        attack_options={**usual, **options, **parse_options(settings, levels=ATTACK_LEVELS)},
        sigma=parse_level(sigma),
        seed=seed,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    report(summary, "attacked", out, as_json)
