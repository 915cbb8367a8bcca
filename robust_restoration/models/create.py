"""Create and list what plugins offer: the verbs users call, in the manner of timm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from robust_restoration.plugins.registry import registry

from .origin import Origin, remember

if TYPE_CHECKING:
    from torch import nn

    from robust_restoration.contracts import Attack, Defense, Denoiser, Purifier


def create_denoiser(name: str, *, weights: str | None = None, **options: Any) -> Denoiser:
    """Create a denoiser by name.

    Args:
        name: As `list_denoisers` lists it.
        weights: A tag of shipped weights, a safetensors file, or a hub repository
            ``user/repo``; ``None`` for untrained ones.
        **options: Passed to the denoiser.

    Raises:
        UnknownNameError: If no plugin offers it; names the nearest.
        WeightsError: If the weights do not exist, are damaged or of another architecture.
    """
    return _with_weights("denoisers", name, weights, options)


def create_purifier(name: str, *, weights: str | None = None, **options: Any) -> Purifier:
    """Create a purifier by name; arguments as in `create_denoiser`.

    Args:
        name: As `list_purifiers` lists it; ``a+b`` is a `Chain` of two.
        weights: As in `create_denoiser`.
        **options: Passed to the purifier.
    """
    if isinstance(name, str) and "+" in name:
        from .chain import create_chain

        return create_chain(name, weights, options)  # type: ignore[return-value]
    return _with_weights("purifiers", name, weights, options)


def create_attack(name: str, model: nn.Module, **options: Any) -> Attack:
    """Create an attack by name.

    Args:
        name: As `list_attacks` lists it.
        model: What to attack. A timm classifier is given its own normalisation, so that the
            attack's inputs stay in [0, 1].
        **options: ``eps``, ``alpha``, ``steps`` and so on, as the attack takes them.
    """
    return registry().create("attacks", name, model, **options)


def create_defense(name: str, **options: Any) -> Defense:
    """Create a way of training by name.

    Args:
        name: As `list_defenses` lists it.
        **options: Passed to the defense.
    """
    made = registry().create("defenses", name, **options)
    return remember(made, Origin("defenses", name, options))


def _with_weights(kind: str, name: str, weights: str | None, options: dict[str, Any]) -> Any:
    origin = Origin(kind, name, options, weights)
    if weights is None:
        return remember(registry().create(kind, name, **options), origin)
    from .weights import create_with_weights

    return remember(create_with_weights(kind, name, weights, options), origin)


def list_denoisers(pattern: str = "*") -> list[str]:
    """Names of denoisers that match a glob pattern, as ``timm.list_models`` does."""
    return registry().list("denoisers", pattern)


def list_attacks(pattern: str = "*") -> list[str]:
    """Names of attacks that match a glob pattern, such as ``torchattacks/*``."""
    return registry().list("attacks", pattern)


def list_defenses(pattern: str = "*") -> list[str]:
    """Names of defenses that match a glob pattern."""
    return registry().list("defenses", pattern)


def list_purifiers(pattern: str = "*") -> list[str]:
    """Names of purifiers that match a glob pattern."""
    return registry().list("purifiers", pattern)
