"""The command ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from robust_restoration.errors import InputError

from .app import app, say
from .options import (
    DENOISERS,
    LEVEL_HELP,
    PURIFIERS,
    Channels,
    Classifier,
    Limit,
    Seed,
    Set,
    Size,
    parse_settings,
)


@app.command(
    epilog="Example:  robust-restoration train hat --denoiser dncnn_b --data train400 "
    "--sigma 0-25 --steps 20000 -o runs/hat.  Example:  robust-restoration train "
    "advfilter --classifier resnet18.a1_in1k --data images/ --size 224 -o runs/advfilter"
)
def train(
    defense: Annotated[
        str, typer.Argument(help="Which training; see: robust-restoration list defenses.")
    ],
    data: Annotated[
        str,
        typer.Option(
            help="A data set's name or a folder of clean images; for purifiers labelled ones, a "
            "folder with labels.csv or one subfolder a class, or an .npz with x and y."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The run's folder; resumes there.")],
    denoiser: Annotated[
        str, typer.Option(help="Which denoiser is trained.", rich_help_panel=DENOISERS)
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="A paper's settings: obsatk-gray, obsatk-colour, typical-set or compact; or "
            "recipe.yaml of another run. Other options given here come before it.",
            rich_help_panel=DENOISERS,
        ),
    ] = "",
    sigma: Annotated[
        str,
        typer.Option(
            help=f"Noise level, or lowest and highest such as 0-25; {LEVEL_HELP}",
            rich_help_panel=DENOISERS,
        ),
    ] = "",
    patch: Annotated[
        int, typer.Option(help="Side of the squares cut from images.", rich_help_panel=DENOISERS)
    ] = 0,
    init_weights: Annotated[
        str, typer.Option(help="Weights to begin from, a tag or a file.")
    ] = "",
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE, an option of the network such as depth=10 or input_bits=8; may "
            "be given several times.",
        ),
    ] = None,
    classifier: Classifier = "",
    purifier: Annotated[
        str,
        typer.Option(
            help="advfilter, filtering, additive or multi_head.", rich_help_panel=PURIFIERS
        ),
    ] = "advfilter",
    size: Size = 0,
    channels: Channels = 3,
    width: Annotated[
        float,
        typer.Option(help="Scales the network; 1 is the paper's.", rich_help_panel=PURIFIERS),
    ] = 0.125,
    kernel_size: Annotated[
        int, typer.Option(help="K of the per-pixel kernels, odd.", rich_help_panel=PURIFIERS)
    ] = 5,
    image_loss: Annotated[
        float, typer.Option(help="Weight of the image-level loss.", rich_help_panel=PURIFIERS)
    ] = 0.2,
    semantic_loss: Annotated[
        float,
        typer.Option(
            help="Weight of the semantic loss; 0 for the paper's recipe.",
            rich_help_panel=PURIFIERS,
        ),
    ] = 0.1,
    layer: Annotated[
        str,
        typer.Option(
            help="A layer of the classifier for the semantic loss; by default its predictions.",
            rich_help_panel=PURIFIERS,
        ),
    ] = "",
    strengths: Annotated[
        int,
        typer.Option(
            help="How many attacked images each image gives, of strengths drawn at random.",
            rich_help_panel=PURIFIERS,
        ),
    ] = 1,
    attack_steps: Annotated[
        int, typer.Option(help="Attack steps for the training images.", rich_help_panel=PURIFIERS)
    ] = 10,
    cache: Annotated[
        str, typer.Option(help="Where attacked images are kept.", rich_help_panel=PURIFIERS)
    ] = "",
    settings: Set = None,
    limit: Limit = 0,
    steps: Annotated[
        int | None, typer.Option(help="Optimizer steps, all stages together.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images or squares a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Adam's learning rate.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="constant, linear, cosine or steps.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    ema: Annotated[
        float | None, typer.Option(help="Decay of the weights' moving average; 0: none.")
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Parts a batch is split into, to fit into memory.")
    ] = None,
    compile_model: Annotated[
        bool, typer.Option("--compile", help="Run the model through torch.compile.")
    ] = False,
    save_every: Annotated[int | None, typer.Option(help="Steps between checkpoints.")] = None,
    validate_every: Annotated[
        int | None, typer.Option(help="Steps between validations.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train a denoiser or a purifier; the same command goes on after an interruption.

    Writes OUT/NAME.safetensors with its model card, usable as NAME=FILE in other commands and as
    create_denoiser(name, weights=FILE) or create_purifier(name, weights=FILE).
    """
    if bool(denoiser) == bool(classifier):
        raise InputError("Give either --denoiser, or --classifier for a purifier's training.")
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
    }
    given = {name: value for name, value in loop.items() if value is not None}
    further = parse_settings(settings)
    if denoiser:
        from robust_restoration.numbers import parse_levels
        from robust_restoration.training.recipes import recipe_for
        from robust_restoration.training.train_denoiser import train_denoiser

        chosen = recipe_for(recipe or "compact", defense)
        options = {**chosen.defense_options, **further}
        if sigma:
            options["sigma"] = parse_levels(sigma)
        if patch:
            options["patch"] = patch
        built = {**(chosen.network if recipe else {}), **parse_settings(network)}
        given = {**chosen.settings, **given}
        say(f"{defense}: {_words(options)}; {denoiser}: {_words(built)}; {_words(given)}")
        path = train_denoiser(
            denoiser,
            data,
            out,
            defense=defense,
            denoiser_options=built,
            defense_options=options,
            weights=init_weights or None,
            limit=limit or None,
            seed=seed,
            **given,
        )
    else:
        from robust_restoration.training.train_purifier import train_purifier

        path = train_purifier(
            classifier,
            data,
            out,
            defense=defense,
            purifier=purifier,
            size=size or None,
            channels=channels,
            limit=limit or None,
            purifier_options={
                "width": width, "kernel_size": kernel_size, **parse_settings(network)
            },
            defense_options={
                "image": image_loss,
                "semantic": semantic_loss,
                "layer": layer,
                "per_image": strengths,
                "attack_steps": attack_steps,
                "cache": cache or None,
                **further,
            },
            weights=init_weights or None,
            seed=seed,
            **{"steps": 2000, **given},
        )
    say(f"Wrote {path}.")


def _words(options: dict[str, Any]) -> str:
    return ", ".join(f"{k}={_value(v)}" for k, v in options.items()) or "as it is"


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_value, value)) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
