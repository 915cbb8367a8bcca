"""Purify image files and folders of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from .errors import DataError
from .factory import create_purifier
from .image_files import Change, map_files
from .images import read_image
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

    def change(files: list[Path]) -> Change:
        made = create_purifier(purifier, weights=weights)
        if weights is None and any(True for _ in made.parameters()):
            tag = _tag(purifier, classifier, files[0])
            made = create_purifier(purifier, weights=tag)
        made = made.to(device)
        return lambda image, _: _purify(made, image.to(device))

    return map_files(
        paths, out, change, doing="purifying", overwrite=overwrite, progress=progress
    )


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
