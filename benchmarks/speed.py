"""The tables of speed in RESULTS.md, in one run: ratios of medians, with spread and peak memory.

    python benchmarks/speed.py [--device cuda] [--rounds 9]

Everything is measured by the scripts beside it; here stands besides what a command and an import
cost before any work.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from typing import Any

import attack_step
import pixel_filter
import purify_latency
import torch
import training_step
from folders import say_what_is_missing
from timing import load, medians, told, write

PARTS = ("attacks", "purifiers", "filter", "trainings", "starts")
STARTS = {
    "python -c pass": "pass",
    "import robust_restoration": "import robust_restoration",
    "robust-restoration plugins": "from robust_restoration.cli import main; main()",
    "import torch": "import torch",
}
PEAK = """
import atexit, sys
sys.argv = ["robust-restoration", "plugins"]
def peak():
    said = open("/proc/self/status").read().split("VmHWM:")[1].split()[0]
    sys.stderr.write(chr(10) + said)
atexit.register(peak)
"""


def starts(rounds: int) -> dict[str, dict[str, float]]:
    """Seconds and peak memory in MB until a process has imported or listed, and ended."""
    said: dict[str, str] = {}

    def call(name: str) -> None:
        words = [sys.executable, "-c", PEAK + STARTS[name]]
        ended = subprocess.run(words, check=True, capture_output=True, text=True)
        said[name] = ended.stderr.split()[-1]

    found = medians({name: (lambda n=name: call(n)) for name in STARTS}, rounds=rounds, warmup=1)
    for name, row in found.items():
        row["megabytes"] = int(said[name]) / 1024
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
    parser.add_argument("--size", type=int, default=256, help="side of the images attacked")
    parser.add_argument("--squares", type=int, default=16, help="50x50 each, trained on at a time")
    parser.add_argument("--batch", type=int, default=4, help="images purified and filtered")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--float32-only", action="store_true")
    given = parser.parse_args()
    device, rounds, only = torch.device(given.device), given.rounds, given.float32_only
    short = {"precisions": ["fp32"]} if only else {}
    long = {"precisions": ["float32"]} if only else {}
    print(f"{load()}, {torch.get_num_threads()} threads, {rounds} rounds")
    content: dict[str, Any] = {"arguments": vars(given), "load_before": load()}
    if "attacks" in given.parts:
        content["attacks"] = attack_step.measure(device, 1, given.size, rounds, **short)
        for name, rows in content["attacks"].items():
            table(f"{name}, side {given.size}, 5 steps, in bare ones", rows, "peak memory")
    if "purifiers" in given.parts:
        content["purifiers"] = purify_latency.measure(given.device, given.batch, rounds, **long)
        for name, rows in content["purifiers"].items():
            table(f"{given.batch}x3x224x224, {name}, in passes of a ResNet-50", rows)
    if "filter" in given.parts:
        rows, peaks, _ = pixel_filter.measure(device, given.batch, 224, 5, rounds)
        for name, row in rows.items():
            row["memory"] = peaks[name] / peaks["unfold"]
        content["filter"] = rows
        table(f"{given.batch}x3x224x224, K = 5, both ways, in `F.unfold`'s", rows, "peak memory")
    if "trainings" in given.parts:
        content["trainings"] = training_step.measure(device, given.squares, rounds, **short)
        for name, rows in content["trainings"].items():
            table(f"DnCNN-B, {given.squares} squares of 50x50, {name}, in normal steps", rows)
    if "starts" in given.parts:
        content["starts"] = starts(min(rounds, 5))
        heads = ("until it ends", "seconds (10th to 90th percentile)", "peak MB")
        print(f"\n| {' | '.join(heads)} |\n|---|---:|---:|")
        for name, row in content["starts"].items():
            spread = f"{row['median']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
            print(f"| `{name}` | {spread} | {row['megabytes']:.0f} |")
    content["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{load()}; this process took {content['peak_megabytes']:.0f} MB at most.")
    print(write("speed", content))


if __name__ == "__main__":
    say_what_is_missing()
    main()
