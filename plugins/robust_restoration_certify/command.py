"""The command ``certify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import Json, beside, check_out, hand_over, say
from robust_restoration.cli.options import (
    CLASSIFIER_HELP,
    DENOISER_HELP,
    LEVEL_HELP,
    Device,
    Limit,
    Overwrite,
    Seed,
    names,
)


def certify(
    classifier: Annotated[str, typer.Option(help=CLASSIFIER_HELP)],
    data: Annotated[
        str,
        typer.Option(
            autocompletion=names("datasets"),
            help="Labelled images: a data set's name (see: robust-restoration datasets), a folder "
            "with labels.csv or one subfolder a class, or an .npz."
        ),
    ],
    sigma: Annotated[
        str, typer.Option(help=f"Standard deviation of the noise; {LEVEL_HELP}")
    ] = "0.25",
    denoiser: Annotated[
        str,
        typer.Option(
            autocompletion=names("denoisers"),
            help=f"What cleans noisy copies before the classifier: {DENOISER_HELP} Without one the "
            "classifier itself must know noise."
        ),
    ] = "",
    draws: Annotated[int, typer.Option(help="n: noisy copies an image for its radius.")] = 10_000,
    guesses: Annotated[int, typer.Option(help="n0: noisy copies an image for its class.")] = 100,
    alpha: Annotated[
        float, typer.Option(help="The probability that an image's certificate is wrong.")
    ] = 0.001,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out",
            help="Write OUT.json, OUT.md, OUT.tex, OUT.png and OUT.csv. A stopped run goes on "
            "from OUT.json.",
        ),
    ] = None,
    every: Annotated[int, typer.Option(help="Take each so many-th image.")] = 1,
    limit: Limit = 0,
    size: Annotated[
        int, typer.Option(help="Side the images are brought to; 0 keeps them as they are.")
    ] = 0,
    autocast: Annotated[str, typer.Option(help="bf16 or fp16.")] = "",
    device: Device = "cpu",
    batch_size: Annotated[
        int, typer.Option(help="Noisy copies at a time; 0: by the size of the images.")
    ] = 0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Certify a classifier's answers: within a radius no perturbation changes them, with a proof.

    By randomised smoothing: the answer is the majority's over noisy copies. Prints certified
    accuracy at L2 radii, the share that is right and cannot be changed within them, with intervals
    of 95 %. Several processes (accelerate launch, torchrun) share the images, with the same
    figures.

    Example:  robust-restoration certify --classifier resnet18.a1_in1k --data images/ --size 224
    --sigma 0.12 --denoiser dncnn_c=nt --draws 1000 -o results/certified
    """
    from robust_restoration import verbs
    from robust_restoration.models.device import device_of
    from robust_restoration.numbers import parse_level
    from robust_restoration.processes import Processes, part_files

    from .smoothing import SmoothedClassifier

    check_out(out, overwrite, goes_on=True)
    where = device_of(device)
    processes = Processes()
    state = beside(out, "json") if out else None
    smoothed = SmoothedClassifier(
        verbs.load_classifier(classifier),
        sigma=parse_level(sigma),
        denoiser=denoiser or None,
        batch_size=batch_size or None,
        precision=autocast or None,
        seed=seed,
    ).to(where)
    if overwrite and state is not None and processes.main:  # all that was asked for can be had
        for file in (state, *part_files(state)):
            file.unlink(missing_ok=True)
    processes.wait()
    result = smoothed.certify_set(
        data,
        n0=guesses,
        n=draws,
        alpha=alpha,
        every=every,
        limit=limit or None,
        size=size or None,
        state=state,
        names={"classifier": classifier, "denoiser": denoiser},
        progress=not as_json,
    )
    if processes.main:
        for sentence in result.damaged:
            say(f"Skipped: {sentence}")
        hand_over(result, out, as_json)
    if result.damaged:
        raise typer.Exit(1)
