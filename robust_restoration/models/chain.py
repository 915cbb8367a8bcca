"""Purifiers in a row, by name or as modules."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError

from .origin import origin_of
from .straight_through import straight_through


def create_chain(name: str, weights: str | None, options: dict[str, Any]) -> nn.Module:
    """The chain that ``"a+b"`` stands for.

    Args:
        name: Purifiers' names with ``+`` between them.
        weights: A file of the whole chain, or weights of the one member that they are for.
        options: Refused, since they could be any member's.

    Raises:
        InputError: If there are options.
        WeightsError: If the weights are for no member, or do not fit.
    """
    from .create import create_purifier

    if options:
        raise InputError(
            f"{name!r} makes several purifiers, so that it takes no options; got "
            f"{', '.join(options)}. Give them to each: Chain(create_purifier(...), ...)."
        )
    names = name.split("+")
    if weights is None:
        return Chain(*map(create_purifier, names))
    from .weights import WeightsError, WeightsFile, find_weights

    for member in names:
        try:
            file = WeightsFile(find_weights("purifiers", member, weights))
        except WeightsError:
            continue
        made_for = file.metadata.get("entry")
        if made_for == name and "build" in file.metadata:
            return file.build_chain()
        if made_for == member.rsplit("/", 1)[-1]:
            each = [create_purifier(n, weights=weights if n == member else None) for n in names]
            return Chain(*each).eval()
    raise WeightsError(
        f"{weights!r} holds no weights for {name!r} nor for one of its members; expected a file "
        "that save_weights wrote of it, or a tag of a member's weights."
    )


def _described(module: nn.Module) -> dict[str, Any]:
    """What a file has to say to make a module again."""
    if isinstance(module, Chain):
        return module.described()
    origin = origin_of(module)
    if origin is None:
        raise InputError(
            f"{type(module).__name__} was not created by name, so that a file cannot say how to "
            "make it; expected what create_purifier(name) gives."
        )
    return {"entry": origin.name, "options": getattr(module, "options", origin.options)}


class Chain(Purifier):
    """One purifier after the other, such as ``create_purifier("a+b")`` makes.

    It is random if one of them is. Gradients pass straight through those that are not
    differentiable (arXiv:1802.00420), as long as another one is; `differentiable` then says so.

    Args:
        *purifiers: Modules from images (N, C, H, W) in [0, 1] to the same.

    Raises:
        InputError: If there is none, or one is not a module.
    """

    def __init__(self, *purifiers: nn.Module) -> None:
        super().__init__()
        if not purifiers or not all(isinstance(p, nn.Module) for p in purifiers):
            raise InputError(
                f"A chain got {', '.join(type(p).__name__ for p in purifiers) or 'nothing'}; "
                "expected purifiers, such as create_purifier(name) gives."
            )
        self.members = nn.ModuleList(purifiers)
        self.random = any(getattr(p, "random", False) for p in purifiers)
        self.differentiable = any(getattr(p, "differentiable", True) for p in purifiers)
        self.channels = next(filter(None, (getattr(p, "channels", None) for p in purifiers)), None)

    def for_classifier(self, classifier: nn.Module, size: int | None = None) -> nn.Module:
        """A chain of its members, each with the weights that suit a classifier."""
        return Chain(
            *[m.for_classifier(classifier, size) if isinstance(m, Purifier) else m
              for m in self.members]
        ).eval()

    def described(self) -> dict[str, Any]:
        """What a file of weights keeps of it."""
        return {"chain": [_described(member) for member in self.members]}

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1]."""
        for member in self.members:
            follows = getattr(member, "differentiable", True) or not self.differentiable
            if follows or not images.requires_grad:
                images = member(images)
            else:
                images = straight_through(member(images.detach()), images)
        return images
