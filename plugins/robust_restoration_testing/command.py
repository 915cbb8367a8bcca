"""The command ``new-plugin``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import say

from .scaffold import DISTRIBUTION, write_plugin


def new_plugin(
    name: Annotated[str, typer.Argument(help="The plugin's name: letters, digits, dashes.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Where the folder robust-restoration-NAME is made.")
    ] = Path("."),
) -> None:
    """Write a small working plugin package to start from.

    Example:  robust-restoration new-plugin sharpen
    """
    folder = out / f"{DISTRIBUTION}-{name.replace('_', '-')}"
    write_plugin(name, folder)
    say(f"Wrote {folder}. Next:\n  pip install -e {folder}\n  pytest {folder}")
