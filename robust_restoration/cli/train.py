"""The command ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import app, say
from .options import Classifier, Data


@app.command(
    epilog="Example:  robust-restoration train advfilter --classifier resnet18.a1_in1k "
    "--data images/ --size 224 --steps 2000 -o runs/advfilter"
)
def train(
    defense: Annotated[str, typer.Argument(help="Which training: advfilter.")],
    classifier: Classifier,
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="The run's folder; resumes there.")],
    purifier: Annotated[
        str, typer.Option(help="advfilter, filtering, additive or multi_head.")
    ] = "advfilter",
    size: Annotated[
        int, typer.Option(help="Side the images are brought to; 0 keeps them as they are.")
    ] = 0,
    channels: Annotated[int, typer.Option(help="1 for gray images, 3 for colour.")] = 3,
    limit: Annotated[int, typer.Option(help="Use only the first so many images; 0: all.")] = 0,
    width: Annotated[float, typer.Option(help="Scales the network; 1 is the paper's.")] = 0.125,
    kernel_size: Annotated[int, typer.Option(help="K of the per-pixel kernels, odd.")] = 5,
    steps: Annotated[int, typer.Option(help="Optimizer steps, both stages together.")] = 2000,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 16,
    lr: Annotated[float, typer.Option(help="Adam's learning rate.")] = 2e-4,
    image_loss: Annotated[float, typer.Option(help="Weight of the image-level loss.")] = 0.2,
    semantic_loss: Annotated[
        float, typer.Option(help="Weight of the semantic loss; 0 for the paper's recipe.")
    ] = 0.05,
    distance: Annotated[
        str,
        typer.Option(help="Of the semantic loss: kl, saturated-kl, or l1 (the paper's)."),
    ] = "kl",
    layer: Annotated[
        str, typer.Option(help="Classifier layer of the semantic loss; the logits by default.")
    ] = "",
    strengths: Annotated[
        int, typer.Option(help="Strengths each image is attacked with, of the paper's 12; 0: all.")
    ] = 0,
    attack_steps: Annotated[int, typer.Option(help="PGD steps for the training images.")] = 40,
    precision: Annotated[str, typer.Option(help="fp32, bf16 or fp16.")] = "fp32",
    ema: Annotated[float, typer.Option(help="Decay of the weights' moving average; 0: none.")] = (
        0.0
    ),
    cache: Annotated[str, typer.Option(help="Where attacked images are kept.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Train a purifier for a classifier; the same command goes on after an interruption.

    Writes OUT/PURIFIER.safetensors, usable as --weights or
    create_purifier(name, weights=FILE), with its model card.
    """
    from robust_restoration.train_purifier import train_purifier

    path = train_purifier(
        classifier,
        data,
        out,
        defense=defense,
        purifier=purifier,
        size=size or None,
        channels=channels,
        limit=limit or None,
        purifier_options={"width": width, "kernel_size": kernel_size},
        defense_options={
            "image": image_loss,
            "semantic": semantic_loss,
            "distance": distance,
            "layer": layer,
            "per_image": strengths or None,
            "attack_steps": attack_steps,
            "cache": cache or None,
        },
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        precision=precision,
        ema=ema,
        seed=seed,
    )
    say(f"Wrote {path}.")
