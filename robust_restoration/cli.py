"""The command line. Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import InputError, RobustRestorationError

if TYPE_CHECKING:
    from collections.abc import Iterable

app = typer.Typer(
    name="robust-restoration",
    help="Attack, robustify, measure and purify: adversarial robustness for image restoration.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Classifier = Annotated[
    str,
    typer.Option(
        help="A timm name, a folder saved by timm, ARCHITECTURE:FILE.safetensors, or "
        "package.module:function.",
    ),
]
Data = Annotated[
    Path,
    typer.Option(
        help="Labelled images: a folder with labels.csv or one subfolder a class, or an .npz "
        "with x and y.",
    ),
]


def main() -> None:
    """Run the command line: exit status 2 and one plain sentence on bad input."""
    warnings.showwarning = lambda message, *_, **__: _say(f"Warning: {message}")
    for noisy in (DeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", noisy)
    sys.path.insert(0, "")  # package.module:function finds modules of the current folder
    try:
        app()
    except RobustRestorationError as error:
        _say(f"Error: {error}")
        sys.exit(2)
    except OSError as error:
        _say(f"Error: {error}.")
        sys.exit(2)
    except KeyboardInterrupt:
        _say("Stopped; what was finished is kept, and the same command goes on from there.")
        sys.exit(130)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _print(text: Any) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a pipe has no width; keep rows on one line
        console = Console(width=200)
    console.print(text, highlight=False)


def _emit(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


@app.command(epilog="Example:  robust-restoration plugins --json")
def plugins(as_json: Json = False) -> None:
    """List plugins: version, status, what each offers, and why one is not used."""
    from .registry import discover

    found = discover()
    if as_json:
        _emit(
            [
                {
                    "name": p.name,
                    "distribution": p.distribution,
                    "version": p.version,
                    "status": p.status,
                    "reason": p.reason,
                    "offers": {
                        kind: [
                            {"name": e.name, "summary": e.summary, "paper": e.paper}
                            for e in entries
                        ]
                        for kind, entries in p.entries.items()
                    },
                }
                for p in found
            ]
        )
        return
    from rich.table import Table

    table = Table()
    for column in ("plugin", "distribution", "status", "offers"):
        table.add_column(column)
    for p in found:
        offers = "\n".join(
            f"{kind}: {_shorten([e.name for e in entries])}" for kind, entries in p.entries.items()
        )
        color = {"active": "green", "disabled": "yellow"}.get(p.status, "red")
        table.add_row(
            p.name,
            f"{p.distribution} {p.version}",
            f"[{color}]{p.status}[/{color}]",
            offers or p.reason,
        )
    _print(table)


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


@app.command(epilog="Example:  robust-restoration env")
def env(as_json: Json = False) -> None:
    """Print versions and machine, to paste into a bug report."""
    from .environment import environment

    found = environment()
    if as_json:
        _emit(found)
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name}: {value}\n")


@app.command(epilog="Example:  robust-restoration demo -o demo")
def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the picture and the numbers.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    as_json: Json = False,
) -> None:
    """Train a classifier on handwritten digits, attack it, purify; offline, under two minutes."""
    from .demo import run_demo

    summary = run_demo(out, seed=seed, quiet=as_json)
    if as_json:
        _emit(summary)


@app.command(
    epilog="Example:  robust-restoration purify photos/ -o purified "
    "--classifier mobilenetv1_100.ra4_e3600_r224_in1k"
)
def purify(
    images: Annotated[list[Path], typer.Argument(help="Image files and folders.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the purified images.")],
    classifier: Annotated[
        str,
        typer.Option(help="Whose weights to take: a classifier's name, or a tag of weights."),
    ] = "",
    purifier: Annotated[str, typer.Option(help="Which purifier.")] = "advfilter",
    weights: Annotated[str, typer.Option(help="A tag, file or hub repository.")] = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    overwrite: Annotated[bool, typer.Option(help="Replace files that are in OUT.")] = False,
    as_json: Json = False,
) -> None:
    """Purify image files (PNG, JPEG, WebP); originals are never touched.

    Purified images are written under the same names. Damaged files are named and skipped, and
    the exit status is then 1. PNG is best: JPEG and WebP add losses of their own.
    """
    from .purify_files import purify_files

    summary = purify_files(
        images,
        out,
        purifier=purifier,
        weights=weights or None,
        classifier=classifier or None,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    if as_json:
        _emit(summary)
    else:
        _say(
            f"{len(summary['written'])} purified into {out}, {len(summary['kept'])} already "
            f"there, {len(summary['damaged'])} damaged."
        )
        for sentence in summary["damaged"]:
            _say(f"  {sentence}")
    if summary["damaged"]:
        raise typer.Exit(1)


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
        str, typer.Option(help="Of the semantic loss: kl (predictions) or l1 (the paper's).")
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
    from .train_purifier import train_purifier

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
    _say(f"Wrote {path}.")


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
    from .classifiers import load_classifier
    from .datasets import load_labelled
    from .evaluation import evaluate_purifiers
    from .evaluation.purification import STRENGTHS, THREATS
    from .purify import find_purifier

    model = load_classifier(classifier).to(device)
    found = load_labelled(data, size=size or None, channels=channels, limit=limit or None)
    for sentence in found.damaged:
        _say(f"Skipped: {sentence}")
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
        _emit(result.to_dict())
    else:
        _print(result)


def _write_result(result: Any, out: Path) -> None:
    from .files import atomic_path

    result.plot(out.with_name(out.name + ".png"))
    with atomic_path(out.with_name(out.name + ".md")) as temporary:
        temporary.write_text(result.to_markdown() + "\n", encoding="utf-8")
    _say(f"Wrote {', '.join(str(out) + suffix for suffix in ('.json', '.md', '.png'))}.")


@app.command(name="list", epilog='Example:  robust-restoration list attacks "*pgd*"')
def list_entries(
    kind: Annotated[str, typer.Argument(help="attacks, defenses, denoisers or purifiers.")],
    pattern: Annotated[str, typer.Argument(help="A glob pattern.")] = "*",
    as_json: Json = False,
) -> None:
    """List what the plugins offer of a kind, with a line on each."""
    from .errors import did_you_mean
    from .hookspecs import KINDS
    from .registry import registry

    if kind not in KINDS:
        raise InputError(f"There is no kind {kind!r}. {did_you_mean(kind, list(KINDS))}")
    known = registry()
    rows = [(name, known.find(kind, name)[0].entry) for name in known.list(kind, pattern)]
    if as_json:
        _emit([{"name": n, "summary": e.summary, "paper": e.paper} for n, e in rows])
        return
    _columns([(n, e.summary, e.paper) for n, e in rows])


def _columns(rows: Iterable[tuple[str, ...]]) -> None:
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    _print(table)


@app.command(name="new-plugin", epilog="Example:  robust-restoration new-plugin sharpen -o .")
def new_plugin(
    name: Annotated[str, typer.Argument(help="The plugin's name: letters, digits, dashes.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where its folder is made.")] = Path("."),
) -> None:
    """Write a small working plugin package to start from."""
    from .new_plugin import write_plugin

    _say(f"Wrote {write_plugin(name, out)}.")


if __name__ == "__main__":
    main()
