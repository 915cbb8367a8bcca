"""The command ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .app import Json, app, emit, say, show
from .options import Classifier, Data


@app.command(
    epilog="Example:  robust-restoration evaluate --classifier resnet18.a1_in1k --data images/ "
    "--size 224 --purifier advfilter --purifier median -o results/resnet18"
)
def evaluate(
    classifier: Classifier,
    data: Data,
    purifier: Annotated[
        list[str],
        typer.Option(help="NAME, or NAME=WEIGHTS; may be given several times."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write OUT.json (resumed from), OUT.md and OUT.png."),
    ] = None,
    size: Annotated[
        int, typer.Option(help="Side the images are brought to; 0 keeps them as they are.")
    ] = 0,
    channels: Annotated[int, typer.Option(help="1 for gray images, 3 for colour.")] = 3,
    limit: Annotated[int, typer.Option(help="Use only the first so many images; 0: all.")] = 0,
    strength: Annotated[
        list[float] | None,
        typer.Option(help="An eps, may be given several times; the paper's 13 by default."),
    ] = None,
    threat: Annotated[
        list[str] | None,
        typer.Option(help="gray-box, white-box or square, may be given several times; all three."),
    ] = None,
    steps: Annotated[int, typer.Option(help="PGD steps.")] = 40,
    white_box_images: Annotated[
        int, typer.Option(help="Images for white-box and Square; 0: all.")
    ] = 0,
    square_queries: Annotated[int, typer.Option(help="Square's queries an image.")] = 200,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    batch_size: Annotated[int, typer.Option(help="Images attacked at a time.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    as_json: Json = False,
) -> None:
    """Accuracy behind purifiers at 13 strengths: gray-box, white-box and Square side by side."""
    from robust_restoration.classifiers import load_classifier
    from robust_restoration.datasets import load_labelled
    from robust_restoration.evaluation import evaluate_purifiers
    from robust_restoration.evaluation.purification import STRENGTHS, THREATS
    from robust_restoration.purify import find_purifier

    model = load_classifier(classifier).to(device)
    found = load_labelled(data, size=size or None, channels=channels, limit=limit or None)
    for sentence in found.damaged:
        say(f"Skipped: {sentence}")
    side = min(found.images.shape[-2:])
    chosen = {}
    for word in purifier:
        name, _, weights = word.partition("=")
        chosen[word] = find_purifier(model, name, weights=weights or None, size=side)
    result = evaluate_purifiers(
        model,
        found,
        purifiers=chosen,
        strengths=strength or STRENGTHS,
        threats=threat or THREATS,
        steps=steps,
        white_box_images=white_box_images or None,
        square_queries=square_queries,
        batch_size=batch_size,
        seed=seed,
        state=out.with_name(out.name + ".json") if out else None,
        progress=not as_json,
    )
    if out:
        _write_result(result, out)
    if as_json:
        emit(result.to_dict())
    else:
        show(result)


def _write_result(result: Any, out: Path) -> None:
    from robust_restoration.files import atomic_path

    result.plot(out.with_name(out.name + ".png"))
    with atomic_path(out.with_name(out.name + ".md")) as temporary:
        temporary.write_text(result.to_markdown() + "\n", encoding="utf-8")
    say(f"Wrote {', '.join(str(out) + suffix for suffix in ('.json', '.md', '.png'))}.")
