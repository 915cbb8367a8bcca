"""How the speed scripts time: alternating rounds, medians, results as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from robust_restoration.environment import environment
from robust_restoration.files import write_json

RESULTS = Path(__file__).parent / "results"


def medians(
    work: dict[str, Callable[[], Any]], *, rounds: int = 15, warmup: int = 2
) -> dict[str, dict[str, float]]:
    """Time several functions in alternation.

    Args:
        work: What to call, by name.
        rounds: How often each is timed.
        warmup: How often each is called before.

    Returns:
        Seconds by name: ``median``, ``low`` (10th percentile) and ``high`` (90th).
    """
    times: dict[str, list[float]] = {name: [] for name in work}
    for number in range(warmup + rounds):
        for name, call in work.items():
            _synchronize()
            began = time.perf_counter()
            call()
            _synchronize()
            if number >= warmup:
                times[name].append(time.perf_counter() - began)
    out = {}
    for name, values in times.items():
        low, middle, high = torch.tensor(values).quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
        out[name] = {"median": middle, "low": low, "high": high}
    return out


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def write(name: str, content: dict[str, Any]) -> Path:
    """Write a result with what it was measured on; returns its path."""
    machine = environment()
    hardware = machine["gpu"] if machine["gpu"] != "none" else machine["processor"]
    label = f"{name}-{hardware}-torch{machine['torch']}".lower().replace(" ", "_")
    path = RESULTS / f"{''.join(c for c in label if c.isalnum() or c in '-_.')}.json"
    write_json(path, {**content, "environment": machine})
    return path
