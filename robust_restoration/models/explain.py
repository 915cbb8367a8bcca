"""Show what a purifier does: the verb; how is a plugin's affair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from robust_restoration.plugins.registry import registry


def explain(
    classifier: nn.Module | None,
    x: Tensor,
    *,
    purifier: str | nn.Module | None = None,
    weights: str | None = None,
    pixels: Sequence[tuple[int, int]] | None = None,
    names: Sequence[str] | None = None,
    top: int = 5,
) -> Any:
    """Show what a purifier does to one image, and why the classifier then says something else.

    Args:
        classifier: The classifier; ``None`` shows the purifier for any alone.
        x: (C, H, W) or (1, C, H, W) in [0, 1].
        purifier: As `purify` takes it.
        weights: As `purify` takes it.
        pixels: (row, column) of the pixels whose kernels are shown, where the purifier has kernels;
            the middles of the image's quarters by default.
        names: The classes' names; those of ImageNet for a classifier of 1000 that tells none.
        top: How many classes are named.

    Returns:
        An object that prints what the classifier says before and after, is a picture in a notebook,
        and writes it by ``save(path)``: input, purified, signed difference with its factor, what
        the purifier decides by, and kernels. Its parts are attributes.

    Raises:
        InputError: As `purify`; or if there are several images, or a pixel lies outside.

    Example:
        >>> explain(classifier, x[0]).save("explained.png")
    """
    return registry().create(
        "verbs",
        registry().default("verbs", "explain"),
        classifier,
        x,
        purifier=purifier,
        weights=weights,
        pixels=pixels,
        names=names,
        top=top,
    )
