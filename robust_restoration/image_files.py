"""Changing image files one by one: originals stay, damaged files are named and skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from .errors import DataError, InputError
from .images import find_images, read_image, write_image

Change = Callable[[Tensor, Path], Tensor]


def map_files(
    paths: Iterable[Path | str],
    out: Path | str,
    change: Callable[[list[Path]], Change],
    *,
    doing: str,
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Read image files, change each, and write the results.

    Args:
        paths: Files, and folders that are searched to the bottom.
        out: Where results go, under the same relative names.
        change: Given all files, makes the function from an image (C, H, W) in [0, 1], and the path
            its result goes to, to the result.
        doing: What the progress bar says.
        overwrite: Replace files in ``out``; otherwise those there are left, so that an
            interrupted call goes on.
        progress: Show a progress bar.

    Returns:
        ``written`` and ``kept``: paths; ``damaged``: a sentence a file that could not be read.

    Raises:
        InputError: If a result would replace an original.
        DataError: If there is no image at all.
    """
    out = Path(out)
    found = find_images(paths)
    originals = {source.resolve() for source, _ in found}
    targets = [(source, out / relative) for source, relative in found]
    for _, target in targets:
        if target.resolve() in originals:
            raise InputError(
                f"{target} would replace an original; choose a folder other than the images' own."
            )
    changed = change([source for source, _ in found])
    done: dict[str, list[str]] = {"written": [], "kept": [], "damaged": []}
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for source, target in bar.track(targets, description=doing):
            if target.exists() and not overwrite:
                done["kept"].append(str(target))
                continue
            try:
                image = read_image(source)
            except DataError as error:
                done["damaged"].append(str(error))
                continue
            write_image(changed(image, target), target)
            done["written"].append(str(target))
    return done
