"""Classifiers by word: timm's catalogue, files of weights, and functions of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
from torch import nn

from robust_restoration.errors import InputError, did_you_mean, one_line
from robust_restoration.models.shipped import known_weights
from robust_restoration.models.weights import load_weights
from robust_restoration.plugins.registry import registry

from .function import made_by_function


def load_classifier(name: str, *, num_classes: int | None = None) -> nn.Module:
    """Load a trained classifier, in eval mode.

    Args:
        name: One of: a timm name (``resnet18.a1_in1k``, also as ``timm:resnet18.a1_in1k``, which is
            how a folder of that name is told from it; the weights come from the hub); a folder
            with ``config.json`` and ``model.safetensors`` as timm's ``save_for_hf`` writes it;
            ``ARCHITECTURE:FILE.safetensors`` for a timm architecture with weights from a file;
            or ``package.module:function`` for a function that returns the classifier.
        num_classes: Passed to timm where the number differs from the architecture's own.

    Raises:
        InputError: If the name is none of these, or the weights do not fit.
    """
    if not isinstance(name, str):
        raise InputError(f"A classifier's name is a {type(name).__name__}; expected text.")
    options: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    of_timm, name = name.startswith("timm:"), name.removeprefix("timm:")
    head, colon, tail = name.partition(":")
    if colon and tail.endswith(".safetensors"):
        if head not in timm.list_models():
            raise InputError(
                f"timm has no architecture {head!r}. {did_you_mean(head, timm.list_models())}"
            )
        model = timm.create_model(head, **options)
        load_weights(model, tail)
        return model.eval()
    if colon and not head.startswith(("hf-hub", "local-dir")) and "/" not in head:
        return made_by_function(name)
    if not of_timm and Path(name).is_dir():
        for file in (Path(name) / "config.json", Path(name) / "model.safetensors"):
            if not file.is_file():
                raise InputError(
                    f"{name} has no {file.name}; expected a folder that timm.models.save_for_hf "
                    "wrote."
                )
        # timm itself would unpickle a file of another kind, and fails at this one up to 1.0.22.
        model = timm.create_model(f"local-dir:{name}", pretrained=False, **options)
        load_weights(model, file)
        return model.eval()
    if Path(name).suffix in (".safetensors", ".pth", ".pt", ".bin"):
        raise InputError(
            f"{name} is a file of weights; write which architecture it is for, such as "
            f"resnet18:{Path(name).with_suffix('.safetensors').name}."
        )
    if not colon and name.split(".")[0] not in timm.list_models():
        raise InputError(
            f"{name!r} is not a timm model, folder, ARCHITECTURE:FILE.safetensors or "
            f"package.module:function. {did_you_mean(name, timm.list_models())}{_named_by(name)}"
        )
    try:
        return timm.create_model(name, pretrained=True, **options).eval()
    except Exception as error:  # timm and the hub raise many kinds
        raise InputError(f"The weights of {name!r} could not be had: {one_line(error)}") from error


def _named_by(name: str) -> str:
    """A sentence where weights of purifiers are filed under a name that timm does not know."""
    if any(name in known_weights("purifiers", p) for p in registry().list("purifiers")):
        return (
            f" Weights of purifiers are filed under {name!r}, but the classifier itself comes from "
            "elsewhere: give a function that makes it."
        )
    return ""
