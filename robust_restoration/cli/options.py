"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Classifier = Annotated[
    str,
    typer.Option(
        help="A timm name, a folder saved by timm, ARCHITECTURE:FILE.safetensors, or "
        "package.module:function.",
    ),
]
Data = Annotated[
    Path,
    typer.Option(
        help="Labelled images: a folder with labels.csv or one subfolder a class, or an .npz "
        "with x and y.",
    ),
]
