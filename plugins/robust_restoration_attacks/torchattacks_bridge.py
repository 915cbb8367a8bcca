"""Every torchattacks attack, created by name for a classifier whose inputs stay in [0, 1].

``create_attack("torchattacks/pgd", classifier, eps=8/255, steps=10)`` gives an object that *is* a
``torchattacks.PGD`` and a `robust_restoration.Attack`: it declares norm and budget and keeps to
them, its random numbers depend on seed and image alone, the classifier's normalisation comes from
its ``pretrained_cfg``, its modes and flags are put back also when the attack raises, and bad inputs
are refused in a sentence. ``seed`` is an option of each.
"""

from __future__ import annotations

import functools
import inspect
import math
from contextlib import redirect_stdout
from copy import copy
from io import StringIO
from typing import Any

import torch
import torchattacks
from torch import Tensor, nn
from torchattacks.attack import Attack as Original

from robust_restoration.contracts import Attack, Denoiser, unwrapped
from robust_restoration.contracts.budgets import check_eps
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_images
from robust_restoration.models.classifiers import (
    check_classifier,
    classifier_name,
    with_unit_range,
)
from robust_restoration.numbers import check_count, check_level

from .torchattacks_rows import ROWS
from .torchattacks_table import NORMS, TORCHATTACKS, Bridged

COUNTS = ("steps", "n_queries", "n_restarts", "restarts", "eot_iter", "max_iterations", "max_iter")
FOR_DENOISERS = (
    "attacks classifiers, with labels (N,) as targets. Denoisers are attacked by 'obsatk_auto', "
    "'denoising_pgd' and others, with the clean images as targets."
)


class _ClassifierAttack(Attack):
    """What the bridge adds to an attack of torchattacks."""

    original: type[Original]
    facts: Bridged
    norm_word: str | None = None

    def check(self, inputs: Tensor, targets: Tensor | None) -> None:
        """As in `Attack`; images are in [0, 1] and fit the classifier, and there are labels."""
        if isinstance(targets, Tensor) and not targets.is_floating_point() and targets.numel():
            check_count("The lowest label", int(targets.min()), at_least=0)
        if isinstance(targets, Tensor) and (targets.ndim != 1 or targets.is_floating_point()):
            raise InputError(
                f"{type(self).__name__} {FOR_DENOISERS} It got targets of shape "
                f"{tuple(targets.shape)} and {targets.dtype}."
            )
        check_images(
            inputs,
            "inputs",
            fix="attacks take images before normalisation; the classifier's mean and std are "
            "applied inside",
        )
        check_classifier(self.model, inputs, "inputs")
        if targets is None:
            raise InputError("An attack on a classifier needs the labels (N,): attack(x, labels).")
        if inputs.dtype == torch.float64 and not self.facts.double:
            raise InputError(
                f"{type(self).__name__} of torchattacks cannot work in float64: give it "
                "images.float()."
            )
        kernel = getattr(self, "stacked_kernel", None)
        if isinstance(kernel, Tensor) and inputs.shape[1] != len(kernel):
            raise InputError(
                f"inputs have {inputs.shape[1]} channel(s); {type(self).__name__} of torchattacks "
                f"smooths gradients of {len(kernel)} channels only."
            )
        super().check(inputs, targets)

    def run(
        self, images: Tensor, targets: Tensor | None, numbers: list[int], *args: Any, **kw: Any
    ) -> Tensor:
        """As in `Attack`; the originals take one eps for all images of a batch."""
        if isinstance(self.eps, Tensor) and self.eps.ndim:
            self.rowwise = False
        return super().run(images, targets, numbers, *args, **kw)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The original's, for which ``norm`` is a word."""
        inner = copy(self)
        inner.__dict__["norm"] = self.norm_word
        highest = int(targets.max())

        def check(module: nn.Module, args: Any, logits: Any) -> None:
            if isinstance(logits, Tensor) and logits.ndim != 2 and targets.ndim == 1:
                raise InputError(
                    f"The network gave {tuple(logits.shape)} for {len(targets)} labels; expected "
                    "the logits (N, classes) of a classifier. A network that gives images is "
                    "attacked by 'obsatk', with clean images as targets."
                )
            if isinstance(logits, Tensor) and logits.ndim == 2 and highest >= logits.shape[1]:
                raise InputError(
                    f"There is the label {highest}, and the classifier has {logits.shape[1]} "
                    f"classes; expected labels from 0 to {logits.shape[1] - 1}."
                )

            asked = self.facts.differentiates and torch.is_grad_enabled() and args[0].requires_grad
            if asked and isinstance(logits, Tensor) and not logits.requires_grad:
                raise InputError(
                    f"The classifier {classifier_name(module)!r} gives no gradient, as under "
                    "torch.no_grad() or after detach(); expected one that does. An attack on a "
                    "surrogate, or one that takes no gradients such as 'torchattacks/square', may "
                    "be made on this one."
                )

        handle = self.model.register_forward_hook(check)
        try:
            attacked: Tensor = self.original.forward(inner, inputs, targets)
        finally:
            handle.remove()
        return attacked


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
    if original is None or name not in TORCHATTACKS:
        raise AttributeError(f"torchattacks {torchattacks.__version__} has no attack {name!r}")
    facts = TORCHATTACKS[name]
    known = inspect.signature(original.__init__).parameters
    seeds = "seed" in known

    def __init__(self: Any, model: nn.Module, **options: Any) -> None:
        if isinstance(unwrapped(model), Denoiser):
            raise InputError(
                f"'torchattacks/{name}' {FOR_DENOISERS} It got the denoiser "
                f"{type(unwrapped(model)).__name__}."
            )
        for count in COUNTS:
            if count in options:
                check_count(count, options[count])
        seed = None if seeds else options.pop("seed", None)
        if facts.norm == "option" and options.get("norm", "Linf") not in NORMS:
            raise InputError(f"norm is {options['norm']!r}; expected 'Linf' or 'L2'.")
        if "eps" in options:
            options[facts.eps] = options.pop("eps")
        with redirect_stdout(StringIO()):  # it prints where a model has no parameters
            original.__init__(self, with_unit_range(model), **options)
        if not seeds:
            self.seed = seed
        if facts.norm == "option":
            self.norm_word, self.norm = self.norm, NORMS[self.norm]
        if facts.rowwise == "Linf":
            self.rowwise = self.norm == math.inf
        if self.norm is not None:
            self.eps = getattr(self, facts.eps)
        if isinstance(facts.random, str):
            self.random = bool(getattr(self, facts.random))
        check_eps(self.eps, self.norm)
        if self.norm == math.inf and hasattr(self, "alpha"):
            check_level("alpha", self.alpha)

    word = inspect.Parameter.KEYWORD_ONLY
    options = {
        "eps" if name == facts.eps else name: parameter.default
        for name, parameter in known.items()
        if name not in ("self", "model") and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [known["self"], known["model"]]
        + [
            inspect.Parameter(name, word, default=value)
            for name, value in (options if seeds else {**options, "seed": None}).items()
        ]
    )
    return type(
        original.__name__,
        (*([ROWS[name]] if name in ROWS else []), _ClassifierAttack, original),
        {
            "__init__": __init__,
            "__doc__": original.__doc__,
            "__module__": __name__,
            "original": original,
            "facts": facts,
            "norm": None if facts.norm == "option" else facts.norm,
            "random": bool(facts.random),
            "differentiates": facts.differentiates,
            "rowwise": bool(facts.rowwise),
        },
    )


def __getattr__(name: str) -> type[Attack]:
    return _bridge(name)
