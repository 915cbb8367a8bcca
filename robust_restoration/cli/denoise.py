"""The command ``denoise``."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Json, app
from .options import LEVEL_HELP, Denoiser, Device, Images, Out, Overwrite
from .purify import report


@app.command(
    epilog="Example:  robust-restoration denoise noisy/ -o restored --denoiser NAME=FILE"
)
def denoise(
    images: Images,
    out: Out,
    denoiser: Denoiser = "",
    sigma: Annotated[
        str, typer.Option(help=f"Noise level, for denoisers that take it; {LEVEL_HELP}")
    ] = "",
    tile: Annotated[
        int, typer.Option(help="Images with a longer side are restored in tiles of this side.")
    ] = 1024,
    device: Device = "cpu",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Restore image files (PNG, JPEG, WebP, TIFF); originals are never touched.

    Restored images are written under the same names. Damaged files are named and skipped, and the
    exit status is then 1.
    """
    from robust_restoration.apply import denoise_files
    from robust_restoration.models.create import load_denoiser
    from robust_restoration.numbers import parse_level

    summary = denoise_files(
        images,
        out,
        load_denoiser(denoiser or default_denoiser()),
        sigma=parse_level(sigma) if sigma else None,
        tile=tile,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    report(summary, "restored", out, as_json)


def default_denoiser() -> str:
    """The word for the denoiser that is taken where none is named, with its usual weights."""
    from robust_restoration.plugins.registry import registry

    known = registry()
    offer, _ = known.find("denoisers", known.default("denoisers", "image"))
    name = offer.entry.name if offer.entry.name in known.list("denoisers") else offer.qualified
    return f"{name}={offer.entry.default_weights}" if offer.entry.default_weights else name
