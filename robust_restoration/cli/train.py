"""The command ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .app import app, say
from .options import CLASSIFIER_HELP, LEVEL_HELP, Limit, Set, parse_settings

WHAT, DATA, LOOP = "What is trained", "Data", "The loop"


@app.command(
    epilog="Example:  robust-restoration train DEFENSE --denoiser NAME --data train400 "
    "--sigma 0-25 --steps 20000 -o runs/mine.  Example:  robust-restoration train DEFENSE "
    "--purifier NAME --classifier resnet18.a1_in1k --data images/ --size 224 -o runs/mine.  "
    "Example:  robust-restoration train --recipe runs/mine/recipe.yaml -o runs/again"
)
def train(
    out: Annotated[Path, typer.Option("-o", "--out", help="The run's folder; resumes there.")],
    defense: Annotated[
        str,
        typer.Argument(
            help="Which training, where no run's recipe says it; see: robust-restoration list "
            "defenses."
        ),
    ] = "",
    denoiser: Annotated[
        str, typer.Option(help="The denoiser that is trained.", rich_help_panel=WHAT)
    ] = "",
    purifier: Annotated[
        str,
        typer.Option(
            help="The purifier that is trained; NAME, or FAMILY:NAME.", rich_help_panel=WHAT
        ),
    ] = "",
    classifier: Annotated[
        str,
        typer.Option(
            help="What the purifier is trained for, or, with a defense for classifiers, what is "
            "trained itself. " + CLASSIFIER_HELP,
            rich_help_panel=WHAT,
        ),
    ] = "",
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE, an option of what is trained, such as depth=10; may be given several "
            "times.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    init_weights: Annotated[
        str, typer.Option(help="Weights to begin from, a tag or a file.", rich_help_panel=WHAT)
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="Settings by name, see: robust-restoration list recipes; or recipe.yaml of a run, "
            "which needs nothing besides. Other options given here come before it."
        ),
    ] = "",
    settings: Set = None,
    sigma: Annotated[
        str,
        typer.Option(
            help=f"The defense's noise level, or lowest and highest such as 0-25; {LEVEL_HELP}"
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            help="A data set's name or a folder of images; where a classifier takes part labelled "
            "ones, a folder with labels.csv or one subfolder a class, or an .npz with x and y.",
            rich_help_panel=DATA,
        ),
    ] = "",
    size: Annotated[
        int,
        typer.Option(
            help="Side that labelled images are brought to; 0 keeps them.", rich_help_panel=DATA
        ),
    ] = 0,
    channels: Annotated[
        int,
        typer.Option(
            help="1 for gray images, 3 for colour; 0: as the network.", rich_help_panel=DATA
        ),
    ] = 0,
    limit: Limit = 0,
    val_fraction: Annotated[
        float | None,
        typer.Option(help="Share of the images held out for validation.", rich_help_panel=DATA),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Optimizer steps, all stages together.", rich_help_panel=LOOP),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Images or squares a step.", rich_help_panel=LOOP)
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="The learning rate.", rich_help_panel=LOOP)
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(help="constant, linear, cosine or steps.", rich_help_panel=LOOP),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, bf16 or fp16.", rich_help_panel=LOOP)
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(help="Decay of the weights' moving average; 0: none.", rich_help_panel=LOOP),
    ] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(
            help="Parts a batch is split into, to fit into memory.", rich_help_panel=LOOP
        ),
    ] = None,
    compile_model: Annotated[
        bool,
        typer.Option(
            "--compile", help="Run the model through torch.compile.", rich_help_panel=LOOP
        ),
    ] = False,
    save_every: Annotated[
        int | None, typer.Option(help="Steps between checkpoints.", rich_help_panel=LOOP)
    ] = None,
    validate_every: Annotated[
        int | None, typer.Option(help="Steps between validations.", rich_help_panel=LOOP)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of everything random, 0 by default.", rich_help_panel=LOOP),
    ] = None,
) -> None:
    """Train a denoiser, a purifier or a classifier; the same command goes on where it stopped.

    Writes OUT/NAME.safetensors with its model card, usable as NAME=FILE in other commands and as
    create_denoiser(name, weights=FILE) or create_purifier(name, weights=FILE), and
    OUT/recipe.yaml, which trains it again.
    """
    from robust_restoration.numbers import parse_levels

    options = parse_settings(settings)
    if sigma:
        options["sigma"] = parse_levels(sigma)
    built = parse_settings(network)
    loop: dict[str, Any] = {
        "steps": steps,
        "batch_size": batch_size,
        "lr": lr,
        "schedule": schedule,
        "precision": precision,
        "ema": ema,
        "accumulate": accumulate,
        "compile": compile_model or None,
        "save_every": save_every,
        "validate_every": validate_every,
        "seed": seed,
    }
    from robust_restoration.training.by_name import train_by_name

    path = train_by_name(
        defense,
        data or None,
        out,
        denoiser=denoiser,
        purifier=purifier,
        classifier=classifier,
        recipe=recipe,
        network=built,
        options=options,
        init_weights=init_weights or None,
        size=size or None,
        channels=channels or None,
        limit=limit or None,
        val_fraction=val_fraction,
        announce=say,
        **{name: value for name, value in loop.items() if value is not None},
    )
    say(f"Wrote {path}.")
