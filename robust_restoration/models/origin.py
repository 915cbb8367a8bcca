"""What something was created as: the entry's name and the options, for the records of runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
ATTRIBUTE = "_robust_restoration_origin"


@dataclass(frozen=True)
class Origin:
    """What something was created as.

    Attributes:
        kind: Such as ``"denoisers"``.
        name: The entry's name.
        options: The options that were given.
        weights: The weights that were given.
    """

    kind: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None


def remember(made: T, origin: Origin) -> T:
    """Note on an object what it was created as; one that takes no attributes goes without."""
    with suppress(AttributeError, TypeError):
        setattr(made, ATTRIBUTE, origin)
    return made


def origin_of(made: Any) -> Origin | None:
    """What an object was created as; ``None`` for one that was not created by name."""
    found = getattr(made, ATTRIBUTE, None)
    return found if isinstance(found, Origin) else None
