"""The command ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import Json, emit, leaves


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the pictures and the numbers.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    as_json: Json = False,
) -> None:
    """Attack denoisers on photographs; train, attack, purify and certify a classifier; offline.

    Example:  robust-restoration demo -o demo
    """
    from .run import run_demo

    leaves(f"pictures that were finished are in {out}")
    summary = run_demo(out, seed=seed, quiet=as_json)
    if as_json:
        emit(summary)
