"""Rows of a tensor that lies in many files, read when they are asked for.

Attacked images may be more than memory holds; a batch of them never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

OPEN = 128  # files that are kept open, of which the system maps what is read


class Rows:
    """Rows of one tensor, whose first dimension goes on from file to file.

    Args:
        paths: Safetensors files, in order.
        name: What the tensor is called in each.
        counts: How many rows each holds.
        chosen: (R,) which rows of all; by default all.
    """

    def __init__(
        self, paths: Sequence[Path], name: str, counts: Sequence[int], chosen: Tensor | None = None
    ) -> None:
        self.paths, self.name, self.counts = list(paths), name, list(counts)
        self.ends = torch.tensor(self.counts).cumsum(dim=0)
        self.chosen = torch.arange(sum(self.counts)) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, which: Tensor | slice) -> Tensor:
        """(B, ...), the rows at some places, in memory."""
        rows = self.chosen[which]
        files = torch.searchsorted(self.ends, rows, right=True)
        within = rows - (self.ends - torch.tensor(self.counts))[files]
        return torch.stack([
            torch.from_numpy(_opened(self.paths[file]).get_slice(self.name)[row : row + 1])[0]
            for file, row in zip(files.tolist(), within.tolist(), strict=True)
        ])

    def described(self) -> bytes:
        """What tells them from others: files' names, which say what was attacked how, and places.

        The files themselves, which may be more than one wants to read, are not looked at.
        """
        files = [f"{path.parent.name}/{path.name}" for path in self.paths]
        return f"{self.name} {files} ".encode() + self.chosen.numpy().tobytes()

    def take(self, which: Tensor) -> Rows:
        """The rows at some places, not yet read."""
        return Rows(self.paths, self.name, self.counts, self.chosen[which])


@lru_cache(maxsize=OPEN)
def _opened(path: Path) -> Any:
    return safe_open(path, "np")
