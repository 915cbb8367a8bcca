"""Denoisers by word, with the weights that they are usually used with."""

from __future__ import annotations

import warnings
from contextlib import suppress

from torch import nn

from robust_restoration import verbs
from robust_restoration.contracts import in_eval_mode
from robust_restoration.errors import UnknownNameError
from robust_restoration.models.create import create_denoiser
from robust_restoration.models.shipped import WeightsWarning, known_weights
from robust_restoration.plugins.registry import registry

from .function import made_by_function


def load_denoiser(word: str) -> nn.Module:
    """Load a denoiser, in eval mode.

    Args:
        word: ``NAME=WEIGHTS``, with weights as `create_denoiser` takes them; ``NAME``, with the
            weights that the denoiser ships as its usual ones, and with a warning untrained where
            it ships none; or ``package.module:function`` for a function that returns any module
            that maps images to images.

    Raises:
        UnknownNameError: If there is no such denoiser.
        WeightsError: If there are no such weights.
        InputError: If the function does not import, or gives something else.
    """
    known = registry()
    name, equals, weights = word.partition("=")
    if equals:
        return in_eval_mode(create_denoiser(name, weights=weights))
    if ":" in word and not known.has("denoisers", word):
        return made_by_function(word)
    offer, member = known.find("denoisers", name)
    if member is None and offer.entry.default_weights in known_weights("denoisers", name):
        return in_eval_mode(create_denoiser(name, weights=offer.entry.default_weights))
    made = create_denoiser(name)
    if not getattr(made, "trained", False) and any(True for _ in made.parameters()):
        how = f"give {name}=FILE"
        with suppress(UnknownNameError):  # no plugin in use trains
            how += f", or train it: {verbs.train_command('denoisers', name)}"
        said = f"{name!r} has no usual weights and is untrained; {how}"
        warnings.warn(said, WeightsWarning, stacklevel=2)
    return in_eval_mode(made)
