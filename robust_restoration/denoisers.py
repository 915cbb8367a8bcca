"""Denoisers from one word, as the command line takes them."""

from __future__ import annotations

import importlib
import warnings

from torch import nn

from .errors import InputError
from .factory import create_denoiser, list_denoisers
from .weights import WeightsWarning, shipped


def load_denoiser(word: str) -> nn.Module:
    """Load a denoiser, in eval mode.

    Args:
        word: ``NAME=WEIGHTS``, such as ``dncnn_b=hat``, with weights as `create_denoiser` takes
            them; ``NAME``, with the weights ``nt`` where the denoiser ships such, and with a
            warning untrained where it does not; or ``package.module:function`` for a function that
            returns any module that maps images to images.

    Raises:
        UnknownNameError: If there is no such denoiser.
        WeightsError: If there are no such weights.
        InputError: If the function does not import.
    """
    name, equals, weights = word.partition("=")
    module, colon, function = word.partition(":")
    if colon and not equals and word not in list_denoisers():
        try:
            made: nn.Module = getattr(importlib.import_module(module), function)()
        except (ImportError, AttributeError) as error:
            raise InputError(f"{word!r} does not import as a function: {error}.") from error
        return made.eval()
    if equals:
        return create_denoiser(name, weights=weights).eval()
    if name in list_denoisers() and "nt" in shipped("denoisers", name):
        return create_denoiser(name, weights="nt").eval()
    made = create_denoiser(name)
    if any(True for _ in made.parameters()):
        warnings.warn(
            f"{name!r} ships no weights and is untrained; give {name}=FILE, or train it: "
            f"robust-restoration train hat --denoiser {name} --data FOLDER -o runs/hat",
            WeightsWarning,
            stacklevel=2,
        )
    return made.eval()
