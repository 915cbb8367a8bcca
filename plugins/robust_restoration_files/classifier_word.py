"""What ``purify --classifier`` may be called with."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from robust_restoration import verbs
from robust_restoration.errors import InputError, did_you_mean
from robust_restoration.models.shipped import known_weights
from robust_restoration.plugins.registry import registry

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def find_classifier(word: str, purifier: str | None) -> str | nn.Module:
    """What weights are chosen by: a name where that is enough, else the classifier itself.

    Args:
        word: A name that weights of the purifier are filed under, a name of timm's, which is not
            loaded, or anything else that `load_classifier` takes.
        purifier: The purifier's name; the default one for classifiers where it is ``None``.

    Raises:
        InputError: If the word is none of these; names the nearest.
    """
    import timm

    purifier = purifier or registry().default("purifiers", "classifier").rsplit("/", 1)[-1]
    tags = [tag for part in purifier.split("+") for tag in known_weights("purifiers", part)]
    name = word.removeprefix("timm:")
    architecture = name.partition(".")[0]
    if name in tags or architecture in tags:
        return name
    if (":" in name and word == name) or Path(word).is_dir() or Path(word).suffix in SUFFIXES:
        return verbs.load_classifier(word)
    known = timm.list_models()
    if architecture in known:
        if name == architecture or name in timm.list_pretrained():
            return name
        known = timm.list_pretrained(f"{architecture}.*")
    raise InputError(
        f"{word!r} is no classifier: expected a name of timm's, a folder, "
        "ARCHITECTURE:FILE.safetensors or package.module:function, as evaluate takes it, or a name "
        f"that weights of {purifier!r} are filed under. {did_you_mean(name, [*tags, *known])} "
        "For a classifier of your own leave it out, or give such a function."
    )
