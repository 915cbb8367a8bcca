"""Purify image files and folders of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from .errors import DataError, InputError
from .factory import create_purifier
from .images import find_images, read_image, write_image
from .weights import shipped, weights_for


def purify_files(
    paths: Iterable[Path | str],
    out: Path | str,
    *,
    purifier: str = "advfilter",
    weights: str | None = None,
    classifier: str | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Purify image files, each at its own size.

    Args:
        paths: Files, and folders that are searched to the bottom.
        out: Where the purified images go, under the same relative names.
        purifier: A purifier's name.
        weights: A tag, file or hub repository; those for ``classifier`` by default.
        classifier: The name of the classifier the images are for.
        device: Where to compute.
        overwrite: Replace files in ``out``; otherwise those there are left, so that an
            interrupted call goes on.
        progress: Show a progress bar.

    Returns:
        ``written`` and ``kept``: paths; ``damaged``: a sentence a file that could not be read.

    Raises:
        InputError: If a result would replace an original.
        DataError: If there is no image at all.
    """
    from rich.console import Console
    from rich.progress import Progress

    out = Path(out)
    found = find_images(paths)
    originals = {source.resolve() for source, _ in found}
    targets = [(source, out / relative) for source, relative in found]
    for _, target in targets:
        if target.resolve() in originals:
            raise InputError(
                f"{target} would replace an original; choose a folder other than the images' own."
            )
    made = create_purifier(purifier, weights=weights)
    if weights is None and any(True for _ in made.parameters()):
        tag = _tag(purifier, classifier, found[0][0])
        made = create_purifier(purifier, weights=tag)
    made = made.to(device)
    done: dict[str, list[str]] = {"written": [], "kept": [], "damaged": []}
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for source, target in bar.track(targets, description="purifying"):
            if target.exists() and not overwrite:
                done["kept"].append(str(target))
                continue
            try:
                image = read_image(source)
            except DataError as error:
                done["damaged"].append(str(error))
                continue
            write_image(_purify(made, image.to(device)), target)
            done["written"].append(str(target))
    return done


def _tag(purifier: str, classifier: str | None, example: Path) -> str:
    tags = shipped("purifiers", purifier)
    if classifier in tags:
        return str(classifier)
    try:
        size = min(read_image(example).shape[-2:])
    except DataError:
        size = 224
    return weights_for("purifiers", purifier, classifier or "an unnamed classifier", size)


def _purify(purifier: Any, image: torch.Tensor) -> torch.Tensor:
    channels = getattr(purifier, "channels", None)
    gray = image.shape[0] == 1 and channels == 3
    batch = image.expand(3, -1, -1)[None] if gray else image[None]
    with torch.no_grad():
        pure = purifier(batch)[0]
    return pure.mean(dim=0, keepdim=True) if gray else pure
