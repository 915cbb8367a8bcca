"""What tells one run from another, beside its settings: its data, its network, its training."""

from __future__ import annotations

import hashlib
from typing import Any

from torch import nn

from robust_restoration.contracts import Defense, TrainingSet

from .recipes import Recipe


def identity(
    recipe: Recipe,
    model: nn.Module,
    defense: Defense,
    data: TrainingSet,
    validation: TrainingSet | None,
) -> dict[str, Any]:
    """Facts of a run that stand in its checkpoint; they are the same whatever machine reads them.

    Args:
        recipe: What is known by name.
        model: What is trained.
        defense: How.
        data: The samples. One without ``fingerprint()`` is known by its number of samples alone.
        validation: Held-out samples.

    Returns:
        JSON values by name.
    """
    shapes = [(name, tuple(tensor.shape)) for name, tensor in model.state_dict().items()]
    tensors = hashlib.sha256(repr(shapes).encode()).hexdigest()[:16]
    return {
        "data": _fingerprint(data),
        "validation": "nothing" if validation is None else _fingerprint(validation),
        "network": {"name": recipe.name, "options": recipe.network, "tensors": tensors},
        "defense": {
            "name": recipe.defense or type(defense).__qualname__,
            "options": recipe.defense_options,
        },
        "classifier": recipe.classifier,
        "init_weights": recipe.init_weights,
    }


def _fingerprint(data: TrainingSet) -> str:
    function = getattr(data, "fingerprint", None)
    count = f"{len(data)} samples"
    return f"{count} of hash {function()}" if callable(function) else count
