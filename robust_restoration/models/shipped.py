"""Which weights there are for an entry, and which of them suit a classifier. Loads no torch.

Weights are files ``ENTRY.TAG.safetensors``: in the folder ``weights`` of the package that defines
the entry, in another package that offers them by the hook ``weights``, or, as
``purifiers/ENTRY.TAG.safetensors``, in the user's own folder. Beside each may stand its model
card, JSON of the same name.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from robust_restoration import verbs
from robust_restoration.errors import (
    UnknownNameError,
    WeightsError,
    check_type,
    cleaned,
    did_you_mean,
    what_is_wrong,
)
from robust_restoration.files import cache_folder
from robust_restoration.plugins.registry import registry

SUFFIX = ".safetensors"
MIDDLE = 64  # pixels: what general weights are for lies on one side of it or on the other
USUAL_SIZE = 224  # pixels, of a classifier that does not say
LARGEST_CARD = 2**22  # bytes
ANY = "*"  # the classifier that a model card names where the weights are for any

Identity = tuple[str, int, int, int]


class WeightsWarning(UserWarning):
    """The weights in use were not made for this classifier."""


def user_folder() -> Path:
    """Where users keep weights: ``$ROBUST_RESTORATION_WEIGHTS``, or ``weights`` in the cache."""
    chosen = os.environ.get("ROBUST_RESTORATION_WEIGHTS")
    return Path(chosen).expanduser() if chosen else cache_folder() / "weights"


def shipped(kind: str, name: str) -> dict[str, Path]:
    """The weights that packages ship for an entry, by tag.

    Those of the entry's own package first; a tag that another package offers again is reached as
    ``plugin/tag``.
    """
    offer, member = registry().find(kind, name)
    if member is not None:  # of a family: the weights are the member's
        return {}
    package = offer.entry.target.split(":")[0].split(".")[0]
    tags = _in_folder(_package_folder(package) / "weights", offer.entry.name)
    for other in registry().offers["weights"]:
        for prefix in (f"{kind}/{offer.entry.name}.", f"{kind}/{offer.qualified}."):
            if other.entry.name.startswith(prefix):
                tag = other.entry.name[len(prefix) :]
                package, _, relative = other.entry.target.partition(":")
                taken = tag if tag not in tags else f"{other.plugin}/{tag}"
                tags[taken] = _package_folder(package) / relative
    return tags


def known_weights(kind: str, name: str) -> dict[str, Path]:
    """What is shipped, and the user's own, which come before shipped ones of the same tag."""
    offer, member = registry().find(kind, name)
    own = {} if member is not None else _in_folder(user_folder() / kind, offer.entry.name)
    return {**shipped(kind, name), **own}


def _in_folder(folder: Path, entry: str) -> dict[str, Path]:
    prefix = f"{entry}."
    if "/" in entry or not folder.is_dir():
        return {}
    return {
        file[len(prefix) : -len(SUFFIX)]: folder / file
        for file in sorted(os.listdir(folder))
        if file.startswith(prefix) and file.endswith(SUFFIX) and len(file) > len(prefix + SUFFIX)
    }


def _package_folder(package: str) -> Path:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    return Path(spec.origin).parent if spec is not None and spec.origin else Path(os.devnull)


def identity(path: Path) -> Identity:
    """What tells a file from another, or from what it was: place, time, size and inode."""
    state = path.stat()
    return str(path.resolve()), state.st_mtime_ns, state.st_size, state.st_ino


def is_file(path: Path) -> bool:
    """Whether there is a plain file; names that no file can have are no error."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def model_card(path: Path | str) -> dict[str, Any]:
    """The model card beside a file of weights; empty if there is none.

    Raises:
        WeightsError: If it is damaged, or too large for a card.
    """
    card = Path(path).with_suffix(".json")
    return dict(_read_card(identity(card))) if is_file(card) else {}


@lru_cache(maxsize=256)
def _read_card(which: Identity) -> dict[str, Any]:
    path, _, size, _ = which
    try:
        if size > LARGEST_CARD:
            raise ValueError(f"it has {size} bytes")
        with open(path, encoding="utf-8") as file:
            content = json.loads(file.read(LARGEST_CARD))
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
    except (ValueError, OSError, RecursionError) as error:
        raise WeightsError(f"The model card {path} is damaged: {what_is_wrong(error)}.") from error
    return content


def find_weights(kind: str, name: str, weights: str) -> Path:
    """The file that a word for weights stands for.

    Args:
        kind: ``"purifiers"`` or ``"denoisers"``.
        name: The entry's name.
        weights: A tag, a file, or a hub repository ``user/repo`` that holds ``model.safetensors``.

    Raises:
        WeightsError: If it is none of these; lists the tags there are.
    """
    check_type("weights", weights, str | Path, "a tag, a file or user/repo", WeightsError)
    weights = str(weights)
    tags = known_weights(kind, name)
    if weights in tags:
        return tags[weights]
    path = Path(weights)
    if is_file(path) or path.suffix or path.is_absolute():
        return path
    if weights.count("/") == 1:
        return _from_hub(weights)
    raise WeightsError(
        f"{name!r} has no weights {cleaned(weights)!r}. {did_you_mean(weights, sorted(tags))} A "
        "file or a hub repository user/repo works too."
    )


def _from_hub(repository: str) -> Path:
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(repository, "model.safetensors"))
    except Exception as error:  # the hub raises many kinds
        lines = str(error).strip().splitlines()
        why = cleaned(lines[0], 200) if lines else type(error).__name__
        raise WeightsError(
            f"model.safetensors of the hub repository {cleaned(repository)!r} could not be had: "
            f"{why}"
        ) from error


def weights_for(
    kind: str, name: str, classifier: str, size: int | None, channels: int | None = None
) -> str:
    """The tag of the weights that suit a classifier best.

    Those made for it; else those that their model card calls general (``"classifier": "*"``) and
    made for images of such a size; else, with a warning, those made for the nearest size.

    Args:
        kind: ``"purifiers"``.
        name: The entry's name.
        classifier: The classifier's name, as `classifiers.classifier_name` gives it.
        size: The side of the classifier's images in pixels; 224 where it does not say.
        channels: The images' channels; ``None`` where that is not known.

    Raises:
        WeightsError: If the entry has none for such images; says which there are.
    """
    tags = known_weights(kind, name)
    for tag in (classifier, classifier.split(".")[0]):
        if tag in tags:
            return tag
    offer, member = registry().find(kind, name)
    name = name if member is not None else registry().shortest(kind, offer)
    how = "train it for your classifier"
    with suppress(UnknownNameError):  # no plugin in use trains
        how += f": {verbs.train_command('purifiers', name)}"
    if not tags:
        raise WeightsError(f"{name!r} comes without weights. Give weights=FILE or {how}")
    size = size or USUAL_SIZE
    cards = {tag: _made_for(path) for tag, path in tags.items()}
    fitting = {t: c for t, c in cards.items() if None in (channels, c[2]) or c[2] == channels}
    if not fitting:
        there = ", ".join(f"{t} ({c[2]} channels, {c[1]} pixels)" for t, c in cards.items())
        raise WeightsError(
            f"{name!r} has no weights for {channels}-channel images at {size} pixels; there "
            f"are {there}. Give weights=FILE or {how}"
        )

    def distance(tag: str) -> float:
        return abs(math.log(fitting[tag][1] / size))

    general = [
        tag
        for tag, (made_for, at, _) in fitting.items()
        if made_for == ANY and ((at >= MIDDLE and size >= MIDDLE) or max(at, size) <= MIDDLE)
    ]
    if general:
        return min(general, key=distance)
    nearest = min(fitting, key=distance)
    warnings.warn(
        f"No {name!r} weights were trained for {cleaned(classifier)!r}; using those for "
        f"{nearest!r} ({fitting[nearest][1]} pixels), which protect it less. "
        f"Or {how}",
        WeightsWarning,
        stacklevel=3,
    )
    return nearest


def _made_for(path: Path) -> tuple[str, int, int | None]:
    """Classifier, side and channels of a model card; the usual ones where it says nothing."""
    try:
        card = model_card(path)
    except WeightsError:
        card = {}
    options = card.get("options")
    size = card.get("input_size")
    channels = card.get("channels", options.get("channels") if isinstance(options, dict) else None)
    return (
        str(card.get("classifier", "")),
        size if isinstance(size, int) and size > 0 else USUAL_SIZE,
        channels if isinstance(channels, int) else None,
    )
