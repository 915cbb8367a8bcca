"""Runs scripts, each in one process or in several that know of each other.

What python and torchrun do, but the processes are forked from this one, which has imported what all
need: that is most of what a short test costs. As with torchrun, one that fails ends the others.
It reads a line of JSON for each script, and answers with the exit status.
"""

from __future__ import annotations

import ast
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path

SECONDS = 240  # no script may take longer


def become(rank: int, count: int, port: int, words: list[str]) -> None:
    """Be one of the processes to the end, and do not come back."""
    if count > 1:
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
        os.environ.update({name: str(value) for name, value in names.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    sys.argv = words
    sys.path[0] = str(Path(words[0]).parent)
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


def launch(words: list[str], count: int) -> int:
    """Start all processes of a script, and wait for them; 1 where one failed."""
    from torch.distributed import TCPStore

    # The processes meet here, as at torchrun's: one of them that had to find a free port could find
    # it taken.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False) if count > 1 else None
    running = set()
    for rank in range(count):
        running.add(os.fork())
        if 0 in running:
            become(rank, count, store.port if store else 0, words)
    failed = False
    while running:
        pid, status = os.wait()
        running.discard(pid)
        if status and not failed:
            failed = True
            for other in running:
                os.kill(other, signal.SIGTERM)
    return int(failed)


def main() -> None:
    """Answer each line of stdin."""
    import torch._dynamo  # noqa: F401  which each optimizer's first step imports

    for line in sys.stdin:
        job = json.loads(line)
        import_what(job["words"][0])
        child = os.fork()
        if child == 0:
            os.setsid()
            os.environ.clear()
            os.environ.update(job["environment"])
            signal.alarm(SECONDS)
            handle = os.open(job["printed"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            os._exit(launch(job["words"], job["count"]))
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            os.killpg(child, signal.SIGKILL)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
