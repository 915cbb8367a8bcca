"""Several processes, as ``accelerate launch`` and ``torchrun`` start them: who does which blocks.

A process that dies ends the others: the launcher stops its group, and where it does not, gathering
fails rather than misses images.
"""

from __future__ import annotations

import atexit
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

B = TypeVar("B")


def accelerator(**options: Any) -> Accelerator:
    """Accelerate's, which otherwise does not heed launchers of processes without accelerators."""
    return Accelerator(cpu=not torch.accelerator.is_available(), **options)


@cache
def leave_at_exit() -> None:
    """Have this process leave its group when Python exits.

    Threads of the group that still run then abort the process now and then, with all work done.
    """

    def leave() -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    atexit.register(leave)


def part_file(path: Path, rank: int) -> Path:
    """Where a process keeps its part of a file until all is gathered."""
    return path.with_name(f"{path.stem}.part{rank}{path.suffix}")


def part_files(path: Path) -> list[Path]:
    """The parts of a file that are there; nothing else, whatever files are called."""
    part = re.compile(re.escape(path.stem) + r"\.part[0-9]+" + re.escape(path.suffix))
    if not path.parent.is_dir():
        return []
    return sorted(file for file in path.parent.iterdir() if part.fullmatch(file.name))


class Processes:
    """The processes that share an evaluation; one, where nothing launched several."""

    def __init__(self) -> None:
        state = accelerator()
        self.count, self.rank = state.num_processes, state.process_index
        self.main = state.is_main_process
        self._wait = state.wait_for_everyone
        leave_at_exit()

    def share(self, blocks: Sequence[B]) -> list[B]:
        """The blocks of this process: whole ones, dealt out in turn."""
        return list(blocks[self.rank :: self.count])

    def gather(self, items: list[Any]) -> list[list[Any]]:
        """The items of each process, in the order of the processes."""
        return list(gather_object([items]))

    def from_main(self, item: Any) -> Any:
        """What the main process has."""
        held = [item]
        broadcast_object_list(held)
        return held[0]

    def wait(self) -> None:
        """Until all processes are here."""
        self._wait()
