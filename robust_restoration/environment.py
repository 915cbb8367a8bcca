"""What a result was computed with: versions, machine, and the command."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path


def environment() -> dict[str, str]:
    """Versions, processor, cores, accelerators and command, for result files and bug reports."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    found |= _versions()
    found["processor"] = _processor()
    found["cores"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                         else os.cpu_count())
    import torch

    found["threads"] = str(torch.get_num_threads())
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    found["gpu"] = ", ".join(names) or "none"
    found["command"] = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]) if sys.argv[0] else ""
    return found


@cache
def _versions() -> dict[str, str]:
    """Of this package and what it depends on; what a process has imported does not change."""
    found = dict.fromkeys(("robust_restoration", "torchvision", *_required()), "not installed")
    for package in found:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _required() -> list[str]:
    """What the package depends on, without its extras."""
    requirements = metadata.requires("robust_restoration") or ()
    names = (re.match(r"[\w.-]+", line) for line in requirements if "extra ==" not in line)
    return [name[0] for name in names if name]


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
