"""The command ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from robust_restoration.errors import InputError

from .app import Json, app, emit, say, show
from .options import (
    DENOISER_HELP,
    DENOISERS,
    LEVEL_HELP,
    PURIFIERS,
    Channels,
    Classifier,
    Device,
    Limit,
    Seed,
    Size,
)


@app.command(
    epilog="Example:  robust-restoration evaluate --denoiser dncnn_b=hat --data set12 "
    "--attack obsatk_auto --sigma 25 --eps 5 -o results/hat.  Example:  robust-restoration "
    "evaluate --classifier resnet18.a1_in1k --purifier advfilter --purifier median --data images/ "
    "--size 224 -o results/resnet18"
)
def evaluate(
    data: Annotated[
        str,
        typer.Option(
            help="A data set's name (see: robust-restoration datasets) or a folder. For purifiers: "
            "labelled images, a folder with labels.csv or one subfolder a class, or an .npz.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write OUT.json, OUT.md, OUT.png, and OUT.csv."),
    ] = None,
    denoiser: Annotated[
        str, typer.Option(help=DENOISER_HELP, rich_help_panel=DENOISERS)
    ] = "",
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="An attack's name, may be given several times; obsatk_auto.",
            rich_help_panel=DENOISERS,
        ),
    ] = None,
    sigma: Annotated[
        str, typer.Option(help=f"Level of the noise; {LEVEL_HELP}", rich_help_panel=DENOISERS)
    ] = "25",
    eps: Annotated[
        str, typer.Option(help=f"The attacks' budget; {LEVEL_HELP}", rich_help_panel=DENOISERS)
    ] = "5",
    noise: Annotated[
        str,
        typer.Option(
            help="Another noise than Gaussian, such as poisson:30.", rich_help_panel=DENOISERS
        ),
    ] = "",
    within_level: Annotated[
        bool,
        typer.Option(
            help="Attack noise of level sigma - eps, as the ObsAtk paper does.",
            rich_help_panel=DENOISERS,
        ),
    ] = False,
    controls: Annotated[
        bool,
        typer.Option(help="Rows that tell what the attack did.", rich_help_panel=DENOISERS),
    ] = True,
    strips: Annotated[
        Path | None,
        typer.Option(help="Folder for one picture an image.", rich_help_panel=DENOISERS),
    ] = None,
    autocast: Annotated[
        str, typer.Option(help="bf16 or fp16.", rich_help_panel=DENOISERS)
    ] = "",
    classifier: Classifier = "",
    purifier: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME, or NAME=WEIGHTS; may be given several times.", rich_help_panel=PURIFIERS
        ),
    ] = None,
    size: Size = 0,
    channels: Channels = 3,
    strength: Annotated[
        list[float] | None,
        typer.Option(
            help="An eps, may be given several times; the paper's 13 by default.",
            rich_help_panel=PURIFIERS,
        ),
    ] = None,
    threat: Annotated[
        list[str] | None,
        typer.Option(
            help="gray-box, white-box or square, may be given several times; all three.",
            rich_help_panel=PURIFIERS,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="PGD steps.", rich_help_panel=PURIFIERS)] = 40,
    white_box_images: Annotated[
        int,
        typer.Option(help="Images for white-box and Square; 0: all.", rich_help_panel=PURIFIERS),
    ] = 0,
    square_queries: Annotated[
        int, typer.Option(help="Square's queries an image.", rich_help_panel=PURIFIERS)
    ] = 200,
    limit: Limit = 0,
    device: Device = "cpu",
    batch_size: Annotated[
        int, typer.Option(help="Images attacked at a time; 0: 8 for denoisers, 32 for purifiers.")
    ] = 0,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure robustness: of a denoiser under attack, or of purifiers before a classifier.

    A denoiser: PSNR, SSIM and MAE on noise, under each attack, and under controls of the same size
    that know nothing of the denoiser. Purifiers: accuracy at 13 strengths, gray-box, white-box and
    Square side by side. Damaged images are named and skipped, and the exit status is then 1.
    """
    if bool(denoiser) == bool(classifier):
        raise InputError("Give either --denoiser, or --classifier with --purifier.")
    result: Any
    if denoiser:
        from robust_restoration.evaluation import evaluate as evaluate_denoiser
        from robust_restoration.models.create import load_denoiser
        from robust_restoration.numbers import parse_level

        result = evaluate_denoiser(
            load_denoiser(denoiser).to(device),
            data,
            attacks=attack or ["obsatk_auto"],
            sigma=parse_level(sigma),
            eps=parse_level(eps),
            noise=noise or None,
            within_level=within_level,
            controls=controls,
            strips=strips,
            autocast=autocast or None,
            limit=limit or None,
            batch_size=batch_size or 8,
            seed=seed,
            name=denoiser,
            progress=not as_json,
        )
        damaged = result.damaged
    else:
        if not purifier:
            raise InputError("--classifier needs at least one --purifier, such as advfilter.")
        result, damaged = _purifiers(
            classifier=classifier,
            data=data,
            purifier=purifier,
            size=size or None,
            channels=channels,
            limit=limit or None,
            device=device,
            strengths=strength,
            threats=threat,
            steps=steps,
            white_box_images=white_box_images or None,
            square_queries=square_queries,
            batch_size=batch_size or 32,
            seed=seed,
            state=out.with_name(out.name + ".json") if out else None,
            progress=not as_json,
        )
    for sentence in damaged:
        say(f"Skipped: {sentence}")
    if out:
        _write_result(result, out)
    if as_json:
        emit(result.to_dict())
    else:
        show(result)
    if damaged:
        raise typer.Exit(1)


def _purifiers(
    *,
    classifier: str,
    data: str,
    purifier: list[str],
    size: int | None,
    channels: int,
    limit: int | None,
    device: str,
    **options: Any,
) -> tuple[Any, list[str]]:
    from robust_restoration.data import load_labelled
    from robust_restoration.evaluation import evaluate_purifiers
    from robust_restoration.models.classifiers import load_classifier
    from robust_restoration.models.purify import find_purifier

    model = load_classifier(classifier).to(device)
    found = load_labelled(data, size=size, channels=channels, limit=limit)
    side = min(found.images.shape[-2:])
    chosen = {}
    for word in purifier:
        name, _, weights = word.partition("=")
        chosen[word] = find_purifier(model, name, weights=weights or None, size=side)
    given = {k: v for k, v in options.items() if v is not None}
    return evaluate_purifiers(model, found, purifiers=chosen, **given), found.damaged


def _write_result(result: Any, out: Path) -> None:
    from robust_restoration.files import atomic_path

    result.to_json(out.with_name(out.name + ".json"))
    result.plot(out.with_name(out.name + ".png"))
    suffixes = [".json", ".md", ".png"]
    if hasattr(result, "to_csv"):
        result.to_csv(out.with_name(out.name + ".csv"))
        suffixes.append(".csv")
    with atomic_path(out.with_name(out.name + ".md")) as temporary:
        temporary.write_text(result.to_markdown() + "\n", encoding="utf-8")
    say(f"Wrote {', '.join(str(out) + suffix for suffix in suffixes)}.")
