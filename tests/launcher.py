"""Runs a script in several processes that know of each other: ``launcher.py COUNT SCRIPT WORDS``.

What torchrun does, but the processes are forked from one that has imported what all need, which
is most of what a short test costs. As with torchrun, one that fails ends the others.
"""

from __future__ import annotations

import ast
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

import torch._dynamo  # noqa: F401  which each optimizer's first step imports
from torch.distributed import TCPStore


def become(rank: int, count: int, port: int, words: list[str]) -> None:
    """Be one of the processes to the end, and do not come back."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ.update({name: str(value) for name, value in names.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), ACCELERATE_USE_CPU="true")
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    sys.argv = words
    status = 0
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # no word of farewell from libraries, whose threads are not here


def import_what(script: str) -> None:
    """Import what a script imports at its top, so that the processes have it before they part."""
    for node in ast.parse(Path(script).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), script, "exec"), {})


def main() -> int:
    """Start all, and wait for them; 1 where one failed."""
    count, words = int(sys.argv[1]), sys.argv[2:]
    import_what(words[0])
    # The processes meet here, as at torchrun's: one of them that had to find a free port could find
    # it taken.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    running = set()
    for rank in range(count):
        running.add(os.fork())
        if 0 in running:
            become(rank, count, store.port, words)
    failed = False
    while running:
        pid, status = os.wait()
        running.discard(pid)
        if status and not failed:
            failed = True
            for other in running:
                os.kill(other, signal.SIGTERM)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
