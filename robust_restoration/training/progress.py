"""What a person sees of a run while it trains."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from rich import progress
from rich.console import Console


class Bar:
    """Progress with loss and rate; plain lines now and then where there is no terminal."""

    def __init__(self, total: int, done: int, shown: bool) -> None:
        self.console = Console(stderr=True, quiet=not shown)
        self.progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[figures]}"),
            progress.TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.progress.add_task("train", total=total, completed=done, figures="")
        self.total, self.first = total, done
        self.began = self.said = time.monotonic()
        self.mean: float | None = None

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def update(self, step: int, stage: str, figures: dict[str, float], waited: float) -> None:
        """A step was taken; ``waited`` are the seconds spent on drawing batches so far."""
        loss = figures["loss"]
        self.mean = loss if self.mean is None else 0.98 * self.mean + 0.02 * loss
        passed = max(time.monotonic() - self.began, 1e-9)
        rate = (step - self.first) / passed
        text = f"loss {self.mean:.4g}, {rate:.1f} steps/s, {waited / passed:.0%} of it for data"
        self.progress.update(self.task, completed=step, description=stage, figures=text)
        if not self.console.is_terminal and time.monotonic() - self.said > 30:
            self.said = time.monotonic()
            left = timedelta(seconds=round((self.total - step) / max(rate, 1e-9)))
            self.console.print(f"{stage}: step {step}/{self.total}, {text}, {left} left")

    def note(self, row: dict[str, Any]) -> None:
        """Keep a validation's figures on the screen."""
        text = ", ".join(f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, float))
        self.console.print(f"step {row['step']}: {text}", highlight=False)
