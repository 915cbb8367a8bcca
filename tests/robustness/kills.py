"""Kills trainings at random moments, resumes them, and compares; ``python kills.py COUNT SEED``.

Each training is a forked process, so that no kill waits for imports, and the curves' picture is a
word, so that kills fall where something could be lost. Prints what was found as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

import robust_restoration as rr
from robust_restoration import verbs
from robust_restoration.contracts import Batch, Defense, Stage, Step
from robust_restoration.training.run_folder import CHECKPOINT

OPTIONS: dict[str, Any] = {
    "steps": 24, "batch_size": 4, "lr": 1e-2, "ema": 0.9, "save_every": 2, "validate_every": 3,
    "progress": False,
}
# A kill takes no file system down, so that one in memory, where writing is quick, will do.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
FOLDER = {
    "checkpoint.safetensors", "curves.csv", "curves.png", "history.json", "recipe.yaml",
    "settings.json",
}


class Points:
    """Points and their sums."""

    def __init__(self, count: int) -> None:
        self.x = torch.randn(count, 3, generator=torch.Generator().manual_seed(count))

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """Some of them."""
        x = self.x[indices]
        return {"x": x, "y": x.sum(dim=1, keepdim=True)}


class Line(Defense):
    """Fits the sums, in two stages, with noise and dropout."""

    def stages(self, model: nn.Module) -> tuple[Stage, ...]:
        """The first layer, then the second."""
        return (
            Stage("first", 2, parameters=lambda model: model[0].parameters()),
            Stage("second", 1, parameters=lambda model: model[2].parameters()),
        )

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """Of noisy points."""
        noise = torch.randn(batch["x"].shape, generator=step.generator) * 0.1
        return (model(batch["x"] + noise) - batch["y"]).square().mean(), {}

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Of others."""
        return {"mse": float((model(batch["x"]) - batch["y"]).square().mean())}


class Sketch:
    """In the place of the drawn curves, which take longer than the training."""

    def __init__(self, rows: Any, figures: Any) -> None:
        pass

    def savefig(self, path: Path, dpi: int) -> None:
        """Write something."""
        path.write_text("a picture")


def run(out: Path) -> None:
    """A whole training, or the rest of one."""
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
    rr.train(net, Line(), Points(10), out=out, validation=Points(4), **OPTIONS)


def begun(out: Path) -> int:
    """Start a training in a process of its own."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        run(out)
        status = 0
    finally:
        os._exit(status)


def facts(out: Path) -> dict[str, Any]:
    """What a finished run must agree in."""
    from robust_restoration.models.weights import read_weights

    tensors, _ = read_weights(out / CHECKPOINT)
    return {
        "weights": {name: tensor.tolist() for name, tensor in tensors.items()},
        "history": (out / "history.json").read_text(),
        "curves": (out / "curves.csv").read_text(),
        "files": sorted(p.name for p in out.iterdir()),
    }


def main(count: int, seed: int) -> None:
    """Kill ``count`` trainings; see the module."""
    torch.set_num_threads(1)
    verbs.curves = Sketch  # type: ignore[attr-defined]
    chance, root = random.Random(seed), Path(tempfile.mkdtemp(dir=MEMORY))
    run(root / "first")  # imports what a run imports
    begin = time.monotonic()
    os.waitpid(begun(root / "whole"), 0)
    length = time.monotonic() - begin
    whole = facts(root / "whole")
    assert set(whole["files"]) == FOLDER, whole["files"]
    kills = runs = failed = 0
    differing: list[str] = []
    while kills < count:
        out = root / str(runs)
        for _ in range(chance.randint(1, 4)):  # so often in one run
            child = begun(out)
            time.sleep(chance.random() * length * 0.9)
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            kills += os.WIFSIGNALED(status)
        _, status = os.waitpid(begun(out), 0)
        failed += status != 0
        found = facts(out) if status == 0 else dict.fromkeys(whole)
        differing += [
            f"{key}: {found[key]}, whole: {whole[key]}" for key in whole if found[key] != whole[key]
        ]
        runs += 1
    found = {"kills": kills, "runs": runs, "failed": failed, "differing": differing}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
