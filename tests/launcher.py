"""Runs a script in several processes that know of each other: ``launcher.py COUNT SCRIPT WORDS``.

What torchrun does, but the processes are forked from one that has imported what all need, which
is most of what a short test costs. As with torchrun, one that fails ends the others.
"""

from __future__ import annotations

import os
import runpy
import signal
import socket
import sys
import traceback

import accelerate  # noqa: F401  to be there before the processes part
import torch  # noqa: F401


def become(rank: int, count: int, port: int, words: list[str]) -> None:
    """Be one of the processes to the end, and do not come back."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ.update({name: str(value) for name, value in names.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), ACCELERATE_USE_CPU="true")
    sys.argv = words
    status = 0
    try:
        runpy.run_path(words[0], run_name="__main__")
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # no word of farewell from libraries, whose threads are not here


def main() -> int:
    """Start all, and wait for them; 1 where one failed."""
    count, words = int(sys.argv[1]), sys.argv[2:]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = set()
    for rank in range(count):
        running.add(os.fork())
        if 0 in running:
            become(rank, count, port, words)
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
