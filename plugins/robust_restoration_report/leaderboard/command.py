"""The commands ``leaderboard build`` and ``leaderboard verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robust_restoration.cli.app import Json, emit, say, show

leaderboard = typer.Typer(
    help="Static pages of many results, and measuring a row again.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@leaderboard.command(epilog="Example:  robust-restoration leaderboard build results -o site")
def build(
    folder: Annotated[Path, typer.Argument(help="A folder of files that evaluate wrote.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the site.")] = Path("site"),
) -> None:
    """Write a site of static pages: one table for what was measured alike, one page a file.

    Files that are damaged, incomplete, or that do not hold together are refused, with the reason;
    the exit status is then 1.
    """
    from .build import build as build_site

    refused = build_site(folder, out)
    for sentence in refused:
        say(f"Refused: {sentence}")
    say(f"Wrote {out / 'index.html'}.")
    if refused:
        raise typer.Exit(1)


@leaderboard.command(
    epilog="Example:  robust-restoration leaderboard verify results/hat.json --sample 2"
)
def verify(
    file: Annotated[Path, typer.Argument(help="A file that evaluate wrote.")],
    row: Annotated[str, typer.Option(help="Which subject; all by default.")] = "",
    sample: Annotated[int, typer.Option(min=1, help="How many images, from the first.")] = 2,
    data: Annotated[str, typer.Option(help="The data, where its name does not find it.")] = "",
    classifier: Annotated[
        str, typer.Option(help="The classifier before which purifiers stand.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Measure rows again on their first images with their own seed, and say whether they stand.

    The exit status is 1 where a figure does not.
    """
    from .protocol import read_submission
    from .verify import verify as measure_again

    found = measure_again(
        read_submission(file), subject=row or None, sample=sample, data=data or None,
        classifier=classifier,
    )
    failed = [line for line in found if not line.stands]
    if as_json:
        emit([line._asdict() for line in found])
    else:
        for line in found:
            show(
                f"{'stands' if line.stands else 'DOES NOT STAND'}: {line.subject}, {line.threat}, "
                f"{line.metric}: {line.claimed:.4f} claimed, {line.found:.4f} found on "
                f"{line.images} images"
            )
    if failed:
        say(f"{len(failed)} of {len(found)} figures do not stand.")
        raise typer.Exit(1)
