"""The command ``purify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import Json, app, emit, say
from .options import Device, Images, Out, Overwrite


@app.command(
    epilog="Example:  robust-restoration purify photos/ -o purified "
    "--classifier mobilenetv1_100.ra4_e3600_r224_in1k"
)
def purify(
    images: Images,
    out: Out,
    classifier: Annotated[
        str,
        typer.Option(help="Whose weights to take: a classifier's name, or a tag of weights."),
    ] = "",
    purifier: Annotated[
        str,
        typer.Option(
            help="NAME, or NAME=WEIGHTS with a tag, file or hub repository; the usual purifier of "
            "classifiers by default."
        ),
    ] = "",
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Load the classifier, and write a picture NAME.strip.png beside each image: what "
            "was changed, what it was decided by, and what the classifier says before and after.",
        ),
    ] = False,
    device: Device = "cpu",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Purify image files (PNG, JPEG, WebP); originals are never touched.

    Purified images are written under the same names. Damaged files are named and skipped, and
    the exit status is then 1. PNG is best: JPEG and WebP add losses of their own.
    """
    from robust_restoration.apply import purify_files
    from robust_restoration.errors import InputError
    from robust_restoration.models.classifiers import load_classifier

    if explain and not classifier:
        raise InputError("--explain shows what a classifier says: name it by --classifier.")
    name, _, weights = purifier.partition("=")
    summary = purify_files(
        images,
        out,
        purifier=name or None,
        weights=weights or None,
        classifier=classifier or None,
        explained=load_classifier(classifier) if explain else None,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    report(summary, "purified", out, as_json)


def report(summary: dict[str, list[str]], done: str, out: Path, as_json: bool) -> None:
    """Say what became of the files; exit status 1 where some were damaged."""
    if as_json:
        emit(summary)
    else:
        say(
            f"{len(summary['written'])} {done} into {out}, {len(summary['kept'])} already "
            f"there, {len(summary['damaged'])} damaged."
        )
        for sentence in summary["damaged"]:
            say(f"  {sentence}")
    if summary["damaged"]:
        raise typer.Exit(1)
