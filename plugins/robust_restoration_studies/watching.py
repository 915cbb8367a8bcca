"""A bar of what a study works through, for whoever waits at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def watched(items: Sequence[Item], doing: str) -> Iterator[Item]:
    """The items, with a bar on stderr that tells how many are left and how long it takes.

    Without a terminal nothing is written.
    """
    console = Console(stderr=True)
    yield from track(items, description=doing, console=console, disable=not console.is_terminal)
