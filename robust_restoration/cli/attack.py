"""The command ``attack``."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Json, app
from .options import (
    LEVEL_HELP,
    Denoiser,
    Device,
    Images,
    Out,
    Overwrite,
    Seed,
    Set,
    parse_settings,
)
from .purify import report


@app.command(
    epilog="Example:  robust-restoration attack photos/ -o attacked --denoiser dncnn_b=nt "
    "--sigma 25 --eps 5"
)
def attack(
    images: Images,
    out: Out,
    denoiser: Denoiser = "dncnn_b",
    attack: Annotated[
        str, typer.Option(help="Which attack; see: robust-restoration list attacks.")
    ] = "obsatk_auto",
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
    noisy and attacked, and NAME.strip.png, which shows what the denoiser makes of it.
    """
    from robust_restoration.apply import attack_files
    from robust_restoration.models.create import load_denoiser
    from robust_restoration.numbers import parse_level
    from robust_restoration.plugins.registry import registry

    usual = registry().accepted("attacks", attack, {"eps": parse_level(eps)})
    summary = attack_files(
        images,
        out,
        load_denoiser(denoiser),
        attack=attack,
        attack_options={**usual, **parse_settings(settings)},
        sigma=parse_level(sigma),
        seed=seed,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    report(summary, "attacked", out, as_json)
