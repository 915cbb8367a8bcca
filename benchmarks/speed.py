"""The tables of speed in RESULTS.md, in one run: ratios of medians, with spread and peak memory.

    python benchmarks/speed.py [--device cuda] [--rounds 9]

Everything is measured by the scripts beside it; here stands besides what a command and an import
cost before any work.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from typing import Any

import attack_step
import pixel_filter
import purify_latency
import torch
import training_step
from timing import load, medians, told, write

STARTS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import robust_restoration": [sys.executable, "-c", "import robust_restoration"],
    "robust-restoration plugins": [sys.executable, "-m", "robust_restoration.cli", "plugins"],
    "robust-restoration list attacks": [
        sys.executable, "-m", "robust_restoration.cli", "list", "attacks",
    ],
    "import torch": [sys.executable, "-c", "import torch"],
    "import torchattacks": [sys.executable, "-c", "import torchattacks"],
}


def starts(rounds: int) -> dict[str, dict[str, float]]:
    """Seconds and peak memory in MB until a process has imported or listed, and ended."""
    def call(words: list[str]) -> None:
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    found = medians({n: (lambda w=w: call(w)) for n, w in STARTS.items()}, rounds=rounds)
    for name, words in STARTS.items():
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        found[name]["megabytes"] = usage.ru_maxrss / 1024
    return found


def table(title: str, rows: dict[str, dict[str, float]], memory: str = "") -> None:
    """A Markdown table of ratios."""
    heads = [title, "time (10th to 90th percentile)", *([memory] if memory else [])]
    print(f"\n| {' | '.join(heads)} |\n|---|{'---:|' * (len(heads) - 1)}")
    for name, row in rows.items():
        print(f"| {name} | {told(row)} |" + (f" {row['memory']:.2f} |" if memory else ""))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    device, rounds = torch.device(given.device), given.rounds
    print(f"{load()}, {torch.get_num_threads()} threads, {rounds} rounds")
    content: dict[str, Any] = {"rounds": rounds, "load_before": load()}
    content["starts"] = starts(rounds)
    print("\n| until it ends | seconds (10th to 90th percentile) | peak MB |\n|---|---:|---:|")
    for name, row in content["starts"].items():
        spread = f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
        print(f"| `{name}` | {spread} | {row['megabytes']:.0f} |")
    content["attacks"] = attack_step.measure(device, batch=1, size=256, rounds=rounds)
    for name, rows in content["attacks"].items():
        table(f"{name}, 5 steps, in bare forward passes with gradients", rows, "peak memory")
    content["purifiers"] = purify_latency.measure(given.device, batch=4, rounds=rounds)
    for name, rows in content["purifiers"].items():
        table(f"4x3x224x224, {name}, in passes of a ResNet-50", rows)
    rows, peaks, _ = pixel_filter.measure(device, batch=8, size=224, kernel=5, rounds=rounds)
    for name, row in rows.items():
        row["memory"] = peaks[name] / peaks["unfold"]
    content["filter"] = rows
    table("8x3x224x224, K = 5, forward and backward, in those of `F.unfold`", rows, "peak memory")
    content["trainings"] = training_step.measure(device, batch_size=16, rounds=rounds)
    for name, rows in content["trainings"].items():
        table(f"DnCNN-B, 16 squares of 50x50, {name}, in normal steps", rows)
    content["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{load()}; this process took {content['peak_megabytes']:.0f} MB at most.")
    print(write("speed", content))


if __name__ == "__main__":
    main()
