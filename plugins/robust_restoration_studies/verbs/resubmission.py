"""The command ``resubmission``."""

from __future__ import annotations

from typing import Annotated

import typer

from robust_restoration.cli.app import Json, check_out, hand_over
from robust_restoration.cli.options import (
    CLASSIFIER_HELP,
    LEVEL_HELP,
    Device,
    Limit,
    Overwrite,
    Seed,
)

from .common import Out, level


def resubmission(
    classifier: Annotated[str, typer.Option(help=CLASSIFIER_HELP)],
    data: Annotated[
        str,
        typer.Option(
            help="Labelled images: a data set's name (see: robust-restoration datasets), a folder "
            "with labels.csv or one subfolder a class, or an .npz."
        ),
    ],
    purifier: Annotated[
        str,
        typer.Option(help="The random purifier before it, NAME or NAME=WEIGHTS; none by default."),
    ] = "",
    out: Out = None,
    attack: Annotated[
        str, typer.Option(help="A threat with its options, as evaluate takes it.")
    ] = "white-box-quick",
    eps: Annotated[str, typer.Option(help=f"Its budget; {LEVEL_HELP}")] = "8/255",
    expectation: Annotated[
        int, typer.Option(help="Draws that the attack's gradient is averaged over.")
    ] = 8,
    draws: Annotated[int, typer.Option(help="How often each image is submitted.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Draws of an image at a time.")] = 64,
    size: Annotated[
        int, typer.Option(help="Side the images are brought to; 0 keeps them as they are.")
    ] = 0,
    limit: Limit = 0,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Ask a random defence again and again: what is left when an attacker may try N times.

    Each image is attacked through the defence's expectation, then submitted N times; beside it the
    same of clean images, and what a majority of the answers says.

    Example:  robust-restoration resubmission --classifier resnet18.a1_in1k --data test/ --size 224
    --purifier NAME --draws 50 -o results/resubmission
    """
    from robust_restoration import verbs
    from robust_restoration.models.device import device_of
    from robust_restoration.models.purify import find_purifier
    from robust_restoration_studies.attack_and_resubmit import attack_and_resubmit

    check_out(out, overwrite)
    where = device_of(device)
    bare = verbs.load_classifier(classifier).to(where)
    name, _, weights = purifier.partition("=")
    found = attack_and_resubmit(
        bare,
        data,
        purifier=find_purifier(bare, name, weights=weights or None, size=size or None).to(where)
        if name
        else None,
        attack=attack,
        eps=level(eps),
        expectation=expectation,
        draws=draws,
        batch_size=batch_size,
        size=size or None,
        limit=limit or None,
        seed=seed,
    )
    hand_over(found, out, as_json)
