"""How the speed scripts time: alternating rounds, medians, results as JSON."""

from __future__ import annotations

import os
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
        By name seconds, ``median``, ``low`` (10th percentile) and ``high`` (90th), and the same of
        the ratio to the first one within each round: ``ratio``, ``ratio_low`` and ``ratio_high``.
        What else the machine does meanwhile slows a round as a whole, and hardly moves its ratios.
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
    seconds = {name: torch.tensor(values) for name, values in times.items()}
    first = next(iter(seconds.values()))
    out = {}
    for name, values in seconds.items():
        out[name] = {}
        for sort, found in (("", values), ("ratio_", values / first)):
            low, middle, high = found.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
            out[name] |= {sort[:-1] or "median": middle, f"{sort}low": low, f"{sort}high": high}
    return out


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def told(row: dict[str, float]) -> str:
    """A ratio and its spread, for tables."""
    return f"{row['ratio']:.2f} ({row['ratio_low']:.2f}-{row['ratio_high']:.2f})"


def load() -> str:
    """What else the machine does: its load over 1, 5 and 15 minutes, and its cores."""
    return f"load {' '.join(f'{x:.1f}' for x in os.getloadavg())} on {os.cpu_count()} cores"


def write(name: str, content: dict[str, Any]) -> Path:
    """Write a result with what it was measured on; returns its path."""
    machine = environment()
    hardware = machine["gpu"] if machine["gpu"] != "none" else machine["processor"]
    label = f"{name}-{hardware}-torch{machine['torch']}".lower().replace(" ", "_")
    path = RESULTS / f"{''.join(c for c in label if c.isalnum() or c in '-_.')}.json"
    write_json(path, {**content, "load": load(), "environment": machine})
    return path
