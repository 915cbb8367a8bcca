"""The command ``evaluate``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from robust_restoration.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robust_restoration.evaluation import Result

DENOISERS, PURIFIERS = "Denoisers", "Purifiers"  # panels of the help


def evaluate(
    data: Annotated[
        str,
        typer.Option(
            autocompletion=names("datasets"),
            help="A data set's name (see: robust-restoration datasets) or a folder. For "
            "classifiers labelled images: a folder with labels.csv or one subfolder a class, or an "
            ".npz.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out",
            help="Write OUT.json, OUT.md, OUT.tex, OUT.png and OUT.csv. A stopped evaluation "
            "goes on from OUT.json.",
        ),
    ] = None,
    threat: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=names("attacks"),
            help="An attack with its options, such as 'NAME steps=20 eps=3', or gray-box, "
            "white-box, white-box-quick, black-box for classifiers; may be given several "
            "times."
        ),
    ] = None,
    eps: Annotated[
        list[str] | None,
        typer.Option(help=f"The threats' budget, may be given several times; {LEVEL_HELP}"),
    ] = None,
    denoiser: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=names("denoisers"),
            help=f"{DENOISER_HELP} May be given several times.", rich_help_panel=DENOISERS
        ),
    ] = None,
    sigma: Annotated[
        str, typer.Option(help=f"Level of the noise, 25; {LEVEL_HELP}", rich_help_panel=DENOISERS)
    ] = "",
    noise: Annotated[
        str,
        typer.Option(
            help="Another noise than Gaussian, NAME:VALUE (see: robust-restoration list noises).",
            rich_help_panel=DENOISERS,
        ),
    ] = "",
    within_level: Annotated[
        bool,
        typer.Option(
            help="Attack noise of level sigma - eps, so that the two together stay within sigma.",
            rich_help_panel=DENOISERS,
        ),
    ] = False,
    classifier: Annotated[
        str, typer.Option(help=CLASSIFIER_HELP, rich_help_panel=PURIFIERS)
    ] = "",
    purifier: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=names("purifiers"),
            help="NAME, or NAME=WEIGHTS; may be given several times.", rich_help_panel=PURIFIERS
        ),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            help="Side the images are brought to; 0 keeps them as they are.",
            rich_help_panel=PURIFIERS,
        ),
    ] = 0,
    channels: Annotated[
        int, typer.Option(help="1 for gray images, 3 for colour; 0: what the subject takes.")
    ] = 0,
    controls: Annotated[
        bool, typer.Option(help="Rows that tell what the attack did.")
    ] = True,
    checks: Annotated[bool, typer.Option(help="Look for masked gradients.")] = True,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="psnr, ssim, mae or a plugin's; may be given several times."),
    ] = None,
    fail_below: Annotated[
        list[str] | None,
        typer.Option(
            help="METRIC=VALUE, such as psnr=24: exit status 1 if the mean under any threat is "
            "below; may be given several times."
        ),
    ] = None,
    strips: Annotated[
        Path | None, typer.Option(help="Folder for one picture an image and threat.")
    ] = None,
    autocast: Annotated[str, typer.Option(help="bf16 or fp16.")] = "",
    limit: Limit = 0,
    device: Device = "cpu",
    batch_size: Annotated[
        int,
        typer.Option(help="Images attacked at a time; 0: 8 for denoisers, 32 for classifiers."),
    ] = 0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Measure robustness: of denoisers, of classifiers, of purifiers before a classifier.

    Figures on the images as they come and under each threat, with controls of the same size that
    know nothing of what is attacked. Damaged images are named and skipped, and the exit status is
    then 1.

    Example:  robust-restoration evaluate --denoiser my_models:denoiser --data photos/ --sigma 25
    --eps 3 --eps 5 -o results/mine

    Example:  robust-restoration evaluate --classifier resnet18.a1_in1k --data images/ --size 224
    --threat white-box -o results/resnet18
    """
    if bool(denoiser) == bool(classifier):
        raise InputError("Give either --denoiser, or --classifier.")
    for_denoisers = {"--sigma": sigma, "--noise": noise, "--within-level": within_level}
    for_classifiers = {"--purifier": purifier, "--size": size}
    given = [o for o, v in (for_classifiers if denoiser else for_denoisers).items() if v]
    if given:
        kind = "classifiers" if denoiser else "denoisers"
        raise InputError(f"{given[0]} is for {kind}; leave it out.")
    thresholds = [_threshold(word) for word in fail_below or ()]
    check_out(out, overwrite, goes_on=True)

    import robust_restoration.evaluation as evaluation
    from robust_restoration import verbs
    from robust_restoration.models.device import device_of
    from robust_restoration.numbers import parse_level
    from robust_restoration.processes import Processes, part_files

    measured = _measured(metric or (), bool(classifier))
    for name in (name for name, _ in thresholds if name not in measured):
        raise InputError(f"--fail-below names {name!r}; measured are {', '.join(measured)}.")
    processes, where = Processes(), device_of(device)
    main = processes.main
    subject: Any
    if denoiser:
        twice = sorted({word for word in denoiser if denoiser.count(word) > 1})
        if twice:
            raise InputError(f"--denoiser {twice[0]} is given twice; give it once.")
        subject = {word: verbs.load_denoiser(word).to(where) for word in denoiser}
    else:
        subject = verbs.load_classifier(classifier).to(where)
    state = beside(out, "json") if out else None
    if overwrite and state and main:  # all that is to be measured could be loaded
        for file in (state, *part_files(state)):
            file.unlink(missing_ok=True)
    processes.wait()
    result = evaluation.evaluate(
        subject,
        data,
        threats=threat,
        eps=[parse_level(word) for word in eps] if eps else None,
        sigma=parse_level(sigma or "25"),
        noise=noise or None,
        within_level=within_level,
        purifiers=purifier,
        size=size or None,
        controls=controls,
        checks=checks,
        metrics=metric,
        channels=channels or None,
        strips=strips,
        autocast=autocast or None,
        limit=limit or None,
        batch_size=batch_size or None,
        seed=seed,
        state=state,
        progress=not as_json,
    )
    if main:
        for sentence in result.damaged:
            say(f"Skipped: {sentence}")
        # The file keeps what earlier commands measured besides, and so does all beside it.
        hand_over(evaluation.Result.from_json(state) if state else result, out, as_json)
    below = [words for name, value in thresholds for words in _below(result, name, value)]
    if main:
        for sentence in below:
            say(sentence)
    if result.damaged or below:
        raise typer.Exit(1)


def _threshold(word: str) -> tuple[str, float]:
    metric, _, value = word.partition("=")
    try:
        threshold = float(value)
        if not math.isfinite(threshold):
            raise ValueError
        return metric, threshold
    except ValueError:
        raise InputError(
            f"--fail-below is {word!r}; expected METRIC=VALUE, such as psnr=24."
        ) from None


def _measured(metrics: Sequence[str], classifies: bool) -> list[str]:
    """Names of what an evaluation measures."""
    from robust_restoration.evaluation.classification import Classification
    from robust_restoration.evaluation.restoration import Restoration
    from robust_restoration.evaluation.result.result import APART

    task = Classification if classifies else Restoration
    return [*(["accuracy"] if classifies else []), *(metrics or task.usual), *APART]


def _below(result: Result, metric: str, value: float) -> list[str]:
    """A sentence for each condition whose mean is below a threshold; controls do not count."""
    if metric not in result.metrics:
        raise InputError(f"There is no {metric!r}; there is {', '.join(result.metrics)}.")
    return [
        f"Below {metric}={value:g}: {row['subject']}, {row['threat']}, with {row[metric]:.4g}."
        for row in result.summary()
        if not row["control"] and row.get(metric, value) < value
    ]
