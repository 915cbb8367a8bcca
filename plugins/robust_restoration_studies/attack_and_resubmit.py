"""A random defence on a data set: attacked in expectation over its draws, then asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from robust_restoration.contracts import in_eval_mode
from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.evaluation.tasks import is_random
from robust_restoration.evaluation.threats import Threat, attacked_images, parse_threats
from robust_restoration.evaluation.whitebox import Expectation, attackable
from robust_restoration.models.classifiers import input_channels, with_unit_range
from robust_restoration.models.purify import PurifiedClassifier
from robust_restoration.numbers import check_count

from .resubmission import Resubmission, resubmission

BLOCK = 32  # images that are attacked at a time


def attack_and_resubmit(
    classifier: nn.Module,
    data: Any,
    *,
    purifier: nn.Module | str | None = None,
    attack: str | Threat = "white-box-quick",
    eps: float = 8 / 255,
    expectation: int = 8,
    draws: int = 20,
    batch_size: int = 64,
    size: int | None = None,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> Resubmission:
    """Attack a random defence through its expectation, and submit what comes of it many times.

    Args:
        classifier: Random itself, or behind a random purifier.
        data: As `load_labelled` takes it.
        purifier: What stands before the classifier; a name, a module, or ``None`` for nothing.
        attack: A threat's word, as `robust_restoration.evaluate` takes it.
        eps: Its budget, a fraction of [0, 1].
        expectation: How many draws the attack's gradient is averaged over.
        draws: How often each image is submitted.
        batch_size: Draws of an image at a time.
        size: The side that images are brought to.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        seed: Of the attack and of the draws.

    Raises:
        InputError: If an option makes no sense.
        DataError: If there are no such data.

    Example:
        >>> found = attack_and_resubmit(classifier, "test/", purifier="mine", draws=100)
    """
    check_count("expectation", expectation)
    own = data.images.shape[1] if isinstance(data, LabelledImages) else 3
    images = load_labelled(
        data, size=size, channels=input_channels(classifier) or own, limit=limit, root=root
    )
    if purifier is None:
        whole: nn.Module = with_unit_range(classifier)
        target = Expectation(whole, expectation) if is_random(whole) else whole
    else:
        whole = PurifiedClassifier(classifier, purifier)
        target = attackable(classifier, whole.purifier, expectation)
    (threat,) = parse_threats([attack], "classifier", ["defence"])
    device = next((p.device for p in whole.parameters()), torch.device("cpu"))
    parts = []
    for start in range(0, len(images), BLOCK):
        rows = slice(start, min(start + BLOCK, len(images)))
        numbers = list(range(rows.start, rows.stop))
        clean, labels = images.pixels(rows).to(device), images.labels[rows].to(device)
        attacker = threat.make(in_eval_mode(target), eps, classifier=True, seed=seed)
        made = attacked_images(attacker, clean, labels, numbers, seed=seed)
        parts.append(
            resubmission(
                whole, clean, made, labels, draws=draws, batch_size=batch_size, seed=seed,
                index=numbers,
            )
        )
    return Resubmission(
        torch.cat([part.labels for part in parts]).cpu(),
        torch.cat([part.clean for part in parts]).cpu(),
        torch.cat([part.attacked for part in parts]).cpu(),
        settings={
            "attack": threat.name, "eps": eps, "expectation": expectation, "draws": draws,
            "data": images.name or str(data), "images": len(images), "seed": seed,
        },
    )
