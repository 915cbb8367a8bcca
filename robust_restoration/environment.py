"""What a result was computed with: versions and machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata

PACKAGES = (
    "robust_restoration",
    "torch",
    "torchvision",
    "torchattacks",
    "timm",
    "kornia",
    "accelerate",
    "safetensors",
    "numpy",
    "pillow",
    "scikit-image",
)


def environment() -> dict[str, str]:
    """Versions, processor, cores and accelerators, for result files and bug reports."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    found["processor"] = _processor()
    found["cores"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                         else os.cpu_count())
    import torch

    found["threads"] = str(torch.get_num_threads())
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    found["gpu"] = ", ".join(names) or "none"
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
