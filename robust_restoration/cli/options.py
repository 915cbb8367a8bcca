"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

CLASSIFIER_HELP = (
    "A timm name, a folder saved by timm, ARCHITECTURE:FILE.safetensors, or "
    "package.module:function."
)
DENOISER_HELP = (
    "NAME=WEIGHTS with a tag or a file, NAME with its usual weights, or package.module:function."
)
LEVEL_HELP = "25 and 25/255 mean 25/255; 0.1 is taken as it is."

Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]
Overwrite = Annotated[bool, typer.Option(help="Replace files that are in OUT.")]
Limit = Annotated[int, typer.Option(help="Use only the first so many images; 0: all.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="NAME=VALUE, a further option of the method; may be given several times."
    ),
]
