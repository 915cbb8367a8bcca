"""Fit a purifier to a classifier: the verb; how is a plugin's affair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.plugins.registry import registry


def fit_purifier(
    classifier: nn.Module,
    images: Any,
    *,
    out: Path | str | None = None,
    minutes: float = 10.0,
    purifier: str | None = None,
    keep: bool = False,
    seed: int = 0,
    progress: bool = True,
    announce: Callable[[str], None] | None = None,
) -> nn.Module:
    """Fit a purifier to a classifier, within minutes, and print what that gains.

    It begins from the weights that `purify` takes. No labels are needed: what the classifier says
    of an image is what it shall say of the attacked one. Some images are held back, and on them
    the fitted purifier is compared with what it began from and with plain transforms.

    Args:
        classifier: The classifier, in eval mode; its own mean and standard deviation are applied.
        images: Clean images: (N, C, H, W), uint8 or in [0, 1], of the classifier's size; or, of
            any size, a folder, a data set's name, a list of (C, H, W), or a ``torch`` data set of
            images or of pairs of image and label. At least 20; some hundreds for a gain.
        out: A folder in which a stopped fit goes on, and where weights and model card come to
            stand; without one nothing is kept on disk.
        minutes: How long it may take, about; the number of images and of steps go with it.
        purifier: Which purifier; the default one for classifiers.
        keep: Also file the weights in the user's folder, ``$ROBUST_RESTORATION_WEIGHTS``, under
            the classifier's name, where `purify` and others find them from then on.
        seed: Of everything random.
        progress: Show progress bars.
        announce: Called with each sentence and table, in place of printing them.

    Returns:
        The purifier, in eval mode; its attribute ``gains`` is the `Result` on held-back images.

    Raises:
        InputError: If the classifier is not a module, or the images are too few, too small, of
            another number of channels, or all of one class to it.

    Example:
        >>> mine = fit_purifier(classifier, "photos/", minutes=10)
        >>> robust = PurifiedClassifier(classifier, mine)
    """
    made: nn.Module = registry().create(
        "verbs",
        registry().default("verbs", "fit_purifier"),
        classifier,
        images,
        out=out,
        minutes=minutes,
        purifier=purifier,
        keep=keep,
        seed=seed,
        progress=progress,
        announce=announce,
    )
    return made
