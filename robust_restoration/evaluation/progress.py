"""The progress bar of an evaluation, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress_bar(shown: bool, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs; gives the function that moves it on by so many."""
    with Progress(console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("evaluating", total=total)
        yield lambda count: bar.advance(task, count)
