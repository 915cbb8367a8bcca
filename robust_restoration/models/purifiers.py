"""Purifiers made of others: one after the other, or only where a gate opens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError

from .origin import origin_of
from .straight_through import straight_through

CLOSED = 1e-4  # so little of a purified image that no 8-bit value shows it
STEEPNESS = 4.0


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
    from .weights import WeightsError, find_weights, load_built, read_header

    for member in names:
        try:
            path = find_weights("purifiers", member, weights)
            shapes, metadata = read_header(path)
        except WeightsError:
            continue
        made_for = metadata.get("entry")
        if made_for == name and "build" in metadata:
            return load_built(path, shapes, metadata)
        if made_for == member.rsplit("/", 1)[-1]:
            each = [create_purifier(n, weights=weights if n == member else None) for n in names]
            return Chain(*each).eval()
    raise WeightsError(
        f"{weights!r} holds no weights for {name!r} nor for one of its members; expected a file "
        "that save_weights wrote of it, or a tag of a member's weights."
    )


def _described(module: nn.Module) -> dict[str, Any]:
    """What a file has to say to make a module again."""
    if isinstance(module, Chain | Gated):
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


class Gated(Purifier):
    """Purifies the images that a gate lets through, and leaves the others as they are.

    Args:
        gate: A module from images (N, C, H, W) in [0, 1] to (N,), above 0 for an image that is to
            be purified.
        purifier: What purifies them.
        steepness: How sharply the gate decides: ``sigmoid(steepness * gate(images))`` of the
            result is the purified image, the rest the image itself.

    Raises:
        InputError: If one is not a module, or the steepness is not above 0.
    """

    def __init__(
        self, gate: nn.Module, purifier: nn.Module, *, steepness: float = STEEPNESS
    ) -> None:
        super().__init__()
        if not isinstance(gate, nn.Module) or not isinstance(purifier, nn.Module):
            raise InputError(
                f"Gated got {type(gate).__name__} and {type(purifier).__name__}; expected a gate "
                "and a purifier, both modules."
            )
        if not 0 < steepness < float("inf"):
            raise InputError(f"steepness is {steepness!r}; expected a number above 0.")
        self.gate, self.purifier, self.steepness = gate, purifier, float(steepness)
        self.random = bool(getattr(purifier, "random", False) or getattr(gate, "random", False))
        self.differentiable = bool(getattr(purifier, "differentiable", True))
        self.channels = getattr(purifier, "channels", None)

    def described(self) -> dict[str, Any]:
        """What a file of weights keeps of it."""
        gate, purifier = _described(self.gate), _described(self.purifier)
        return {"gated": {"gate": gate, "purifier": purifier, "steepness": self.steepness}}

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1].

        Where no gradients are needed, the purifier only sees the images that are let through.
        """
        share = torch.sigmoid(self.steepness * self.gate(images)).view(-1, 1, 1, 1)
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._mixed(images, share)
        chosen = share.flatten() > CLOSED
        result = images.clamp(0, 1)
        if bool(chosen.any()):
            result[chosen] = self._mixed(images[chosen], share[chosen])
        return result

    def _mixed(self, images: Tensor, share: Tensor) -> Tensor:
        """``share`` (N, 1, 1, 1) of the purified images, the rest of the images themselves."""
        pure = self.purifier(images)
        wide = torch.promote_types(images.dtype, pure.dtype)
        mixed = torch.lerp(images.to(wide), pure.to(wide), share.to(wide))
        return mixed.clamp(0, 1).to(images.dtype)
