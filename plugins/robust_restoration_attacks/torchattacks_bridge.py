"""Every torchattacks attack, created by name for a classifier whose inputs stay in [0, 1].

``create_attack("torchattacks/pgd", classifier, eps=8/255, steps=10)`` gives an object that *is* a
``torchattacks.PGD``, with three things mended: the classifier's normalisation comes from its
``pretrained_cfg``, its modes and ``requires_grad`` flags are put back also when the attack raises,
and bad inputs are refused in a sentence.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torchattacks
from torch import Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_images
from robust_restoration.models.classifiers import check_classifier, with_unit_range

from . import TORCHATTACKS


class _ClassifierAttack(Attack):
    """What the bridge adds to an attack of torchattacks."""

    def __call__(self, inputs: Tensor, labels: Tensor | None = None, *args: Any, **kw: Any) -> Any:
        check_images(
            inputs,
            "inputs",
            fix="attacks take images before normalisation; the classifier's mean and std are "
            "applied inside",
        )
        check_classifier(self.model, inputs, "inputs")
        if labels is None:
            raise InputError("An attack on a classifier needs the labels (N,): attack(x, labels).")
        return super().__call__(inputs, labels, *args, **kw)

    norm = ""

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """Within [0, 1], and within eps in the attack's norm where it has the two."""
        eps = getattr(self, "eps", None)
        delta = attacked - inputs
        if isinstance(eps, float | int) and self.norm == "L-inf":
            attacked = inputs + delta.clamp(-eps, eps)
        elif isinstance(eps, float | int) and self.norm == "L2":
            length = delta.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            attacked = inputs + delta * (eps / length.clamp(min=1e-12)).clamp(max=1)
        return attacked.clamp(0, 1)


@functools.cache
def _bridge(name: str) -> type[Attack]:
    original = next(
        (
            getattr(torchattacks, known)
            for known in torchattacks.__all__
            if known.lower() == name and known not in torchattacks.__wrapper__
        ),
        None,
    )
    if original is None:
        raise AttributeError(f"torchattacks {torchattacks.__version__} has no attack {name!r}")

    def __init__(self: Any, model: nn.Module, **options: Any) -> None:
        original.__init__(self, with_unit_range(model), **options)

    signature = inspect.signature(original.__init__)
    __init__.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            p if p.name in ("self", "model") else p.replace(kind=p.KEYWORD_ONLY)
            for p in signature.parameters.values()
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        ]
    )
    return type(
        original.__name__,
        (_ClassifierAttack, original),
        {
            "__init__": __init__,
            "__doc__": original.__doc__,
            "__module__": __name__,
            "norm": TORCHATTACKS.get(name, "").split(",")[0],
        },
    )


def __getattr__(name: str) -> type[Attack]:
    return _bridge(name)
