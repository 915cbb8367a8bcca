"""The commands ``purify``, ``denoise`` and ``attack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import Json, emit, leaves, say
from robust_restoration.cli.options import (
    DENOISER_HELP,
    LEVEL_HELP,
    Device,
    Overwrite,
    Seed,
    Set,
    names,
)

Images = Annotated[list[Path], typer.Argument(help="Image files and folders.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]
Denoiser = Annotated[
    str, typer.Option(autocompletion=names("denoisers"), help=DENOISER_HELP)
]
LEFT = "files that were finished are in {}, and the same command goes on from there"


def purify(
    images: Images,
    out: Out,
    classifier: Annotated[
        str,
        typer.Option(
            help="Whose weights to take: what evaluate takes, of which timm's names are not "
            "loaded; or a name that weights of the purifier are filed under. Without it, general "
            "weights."
        ),
    ] = "",
    purifier: Annotated[
        str,
        typer.Option(
            autocompletion=names("purifiers"),
            help="NAME, or NAME=WEIGHTS with a tag, file or hub repository; the usual purifier of "
            "classifiers by default."
        ),
    ] = "",
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Load the classifier, and write a picture NAME.strip.png beside each image: what "
            "was changed, what it was decided by, and what the classifier says before and after.",
        ),
    ] = False,
    device: Device = "cpu",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Purify image files (PNG, JPEG, WebP); originals are never touched.

    Purified images are written under the same names. Damaged files are named and skipped, and
    the exit status is then 1. PNG is best: JPEG and WebP add losses of their own.

    Example:  robust-restoration purify photos/ -o purified --classifier
    mobilenetv1_100.ra4_e3600_r224_in1k
    """
    from robust_restoration import verbs
    from robust_restoration.errors import InputError

    from .apply import purify_files

    if explain and not classifier:
        raise InputError("--explain shows what a classifier says: name it by --classifier.")
    name, _, weights = purifier.partition("=")
    leaves(LEFT.format(out))
    summary = purify_files(
        images,
        out,
        purifier=name or None,
        weights=weights or None,
        classifier=classifier or None,
        explained=verbs.load_classifier(classifier) if explain else None,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    report(summary, "purified", out, as_json)


def denoise(
    images: Images,
    out: Out,
    denoiser: Denoiser = "",
    sigma: Annotated[
        str, typer.Option(help=f"Noise level, for denoisers that take it; {LEVEL_HELP}")
    ] = "",
    tile: Annotated[
        int, typer.Option(help="Images with a longer side are restored in tiles of this side.")
    ] = 1024,
    device: Device = "cpu",
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Restore image files (PNG, JPEG, WebP, TIFF); originals are never touched.

    Restored images are written under the same names. Damaged files are named and skipped, and the
    exit status is then 1.

    Example:  robust-restoration denoise noisy/ -o restored --denoiser NAME=FILE
    """
    from robust_restoration import verbs
    from robust_restoration.numbers import parse_level

    from .apply import denoise_files

    leaves(LEFT.format(out))
    summary = denoise_files(
        images,
        out,
        verbs.load_denoiser(denoiser or default_denoiser()),
        sigma=parse_level(sigma) if sigma else None,
        tile=tile,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    report(summary, "restored", out, as_json)


def attack(
    images: Images,
    out: Out,
    denoiser: Denoiser = "",
    attack: Annotated[
        str,
        typer.Option(
            autocompletion=names("attacks"),
            help="NAME, or 'NAME option=value ...'; see: robust-restoration list attacks. The "
            "usual attack on denoisers by default."
        ),
    ] = "",
    sigma: Annotated[
        str, typer.Option(help=f"Level of the noise that is added first; {LEVEL_HELP}")
    ] = "25",
    eps: Annotated[str, typer.Option(help=f"The attack's budget; {LEVEL_HELP}")] = "5",
    settings: Set = None,
    device: Device = "cpu",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Make clean image files noisy, and attack the denoiser that will restore them.

    For each image: the attacked one (rounded to 8 bits), NAME.npz with the float arrays clean,
    noisy and attacked, and NAME.strip.png, which shows what the denoiser makes of it; NAME is its
    whole file name. Damaged files are named and skipped, and the exit status is then 1.

    Example:  robust-restoration attack photos/ -o attacked --sigma 25 --eps 5
    """
    from robust_restoration import verbs
    from robust_restoration.numbers import (
        ATTACK_LEVELS,
        parse_attack,
        parse_level,
        parse_options,
    )
    from robust_restoration.plugins.registry import registry

    from .apply import attack_files

    chosen = attack or registry().default("attacks", "denoiser")
    name, options = parse_attack(chosen)
    usual = registry().accepted("attacks", name, {"eps": parse_level(eps)})
    leaves(LEFT.format(out))
    summary = attack_files(
        images,
        out,
        verbs.load_denoiser(denoiser or default_denoiser()),
        attack=name,
        attack_options={**usual, **options, **parse_options(settings, levels=ATTACK_LEVELS)},
        sigma=parse_level(sigma),
        seed=seed,
        device=device,
        overwrite=overwrite,
        progress=not as_json,
    )
    report(summary, "attacked", out, as_json)


def report(summary: dict[str, list[str]], done: str, out: Path, as_json: bool) -> None:
    """Say what became of the files; exit status 1 where some were damaged."""
    if as_json:
        emit(summary)
    else:
        say(
            f"{len(summary['written'])} {done} into {out}, {len(summary['kept'])} already "
            f"there, {len(summary['damaged'])} damaged."
        )
        if summary["kept"]:
            say("  What was there is left, whatever made it; --overwrite makes it anew.")
        for sentence in summary["damaged"]:
            say(f"  {sentence}")
    if summary["damaged"]:
        raise typer.Exit(1)


def default_denoiser() -> str:
    """The word for the denoiser that is taken where none is named, with its usual weights."""
    from robust_restoration.plugins.registry import registry

    known = registry()
    offer, _ = known.find("denoisers", known.default("denoisers", "image"))
    name = offer.entry.name if offer.entry.name in known.list("denoisers") else offer.qualified
    return f"{name}={offer.entry.default_weights}" if offer.entry.default_weights else name
