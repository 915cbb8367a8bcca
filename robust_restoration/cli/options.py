"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer


def names(kind: str) -> Callable[[str], list[str]]:
    """What the shell offers for an option that takes a name, once completion is installed.

    Args:
        kind: Of what is named, as ``robust-restoration list`` takes it; with weights ``NAME=TAG``.
    """

    def offered(incomplete: str) -> list[str]:
        from robust_restoration.models.shipped import known_weights
        from robust_restoration.plugins.registry import registry

        name, equals, _ = incomplete.partition("=")
        if equals and kind in ("denoisers", "purifiers"):
            words = [f"{name}={tag}" for tag in known_weights(kind, name)]
        else:
            words = registry().list(kind)
        return [word for word in words if word.startswith(incomplete)]

    return offered


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
