"""The command ``purify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import Json, app, emit, say


@app.command(
    epilog="Example:  robust-restoration purify photos/ -o purified "
    "--classifier mobilenetv1_100.ra4_e3600_r224_in1k"
)
def purify(
    images: Annotated[list[Path], typer.Argument(help="Image files and folders.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the purified images.")],
    classifier: Annotated[
        str,
        typer.Option(help="Whose weights to take: a classifier's name, or a tag of weights."),
    ] = "",
    purifier: Annotated[str, typer.Option(help="Which purifier.")] = "advfilter",
    weights: Annotated[str, typer.Option(help="A tag, file or hub repository.")] = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    overwrite: Annotated[bool, typer.Option(help="Replace files that are in OUT.")] = False,
    as_json: Json = False,
) -> None:
    """Purify image files (PNG, JPEG, WebP); originals are never touched.

    Purified images are written under the same names. Damaged files are named and skipped, and
    the exit status is then 1. PNG is best: JPEG and WebP add losses of their own.
    """
    from robust_restoration.purify_files import purify_files

    summary = purify_files(
        images,
        out,
        purifier=purifier,
        weights=weights or None,
        classifier=classifier or None,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    if as_json:
        emit(summary)
    else:
        say(
            f"{len(summary['written'])} purified into {out}, {len(summary['kept'])} already "
            f"there, {len(summary['damaged'])} damaged."
        )
        for sentence in summary["damaged"]:
            say(f"  {sentence}")
    if summary["damaged"]:
        raise typer.Exit(1)
