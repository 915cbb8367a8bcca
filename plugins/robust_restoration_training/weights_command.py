"""The commands ``weights pack`` and ``weights push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import say

weights = typer.Typer(
    help="Pack a run's weights with their model card, and share them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Run = Annotated[Path, typer.Argument(help="A run's folder, finished or not.")]


@weights.command(epilog="Example:  robust-restoration weights pack runs/mine -o mine.safetensors")
def pack(
    run: Run,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The file; RUN/packed/model.safetensors by default."),
    ] = None,
    half: Annotated[bool, typer.Option(help="Store as float16, half the size.")] = True,
) -> None:
    """Make one safetensors file and its model card of a run's last checkpoint."""
    from .packing import pack_run

    path = pack_run(run, out, half=half)
    say(f"Wrote {path} and {path.with_suffix('.json').name}.")


@weights.command(epilog="Example:  robust-restoration weights push runs/mine user/mine")
def push(
    run: Run,
    repository: Annotated[str, typer.Argument(help="A hub repository, user/name.")],
    half: Annotated[bool, typer.Option(help="Store as float16, half the size.")] = True,
    private: Annotated[bool, typer.Option(help="Make the repository private.")] = False,
) -> None:
    """Pack a run, and upload it to a hub repository; use it as weights=user/name."""
    from .packing import push_run

    say(f"Uploaded to {push_run(run, repository, half=half, private=private)}.")
