"""Trainings killed at random moments end with the same bits, rows and files as undisturbed ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from robust_restoration.errors import TrainingError
from robust_restoration.files import check_folder, write_json
from robust_restoration.models.weights import save_weights
from robust_restoration.training.run_folder import CHECKPOINT, RunFolder

SCRIPT = Path(__file__).resolve().with_name("kills.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.slow
@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.exhaustive)])
def test_killed_runs_end_alike(count: int, one_thread: dict[str, str]) -> None:
    words = [sys.executable, str(SCRIPT), str(count), "7"]
    ended = subprocess.run(
        words, env=one_thread, capture_output=True, text=True, timeout=300 + 10 * count
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    print(found)  # noqa: T201
    assert found["kills"] >= count
    assert found["failed"] == 0
    assert found["differing"] == []


def test_a_bit_that_flipped_is_noticed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save({"model.x": torch.ones(50), "y": torch.tensor(3)}, {"step": "1", "settings": "{}"})
    tensors, header = folder.load()
    assert torch.equal(tensors["model.x"], torch.ones(50))
    assert header["step"] == "1"
    content = (tmp_path / CHECKPOINT).read_bytes()
    for place in (len(content) - 9, content.index(b'"step"') + 8):
        flipped = bytearray(content)
        flipped[place] ^= 1
        (tmp_path / CHECKPOINT).write_bytes(flipped)
        with pytest.raises(TrainingError, match="is damaged"):
            folder.load()


def named(path: Path) -> None:
    """As where the system gives no files without a name."""
    tempfile._O_TMPFILE_WORKS = False  # type: ignore[attr-defined]
    os.unlink = lambda *_, **__: os.kill(os.getpid(), signal.SIGXFSZ)  # type: ignore[assignment]
    check_folder(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    "write",
    [
        lambda path: RunFolder(path).save({"x": torch.zeros(9999)}, {}),
        lambda path: save_weights(
            nn.Linear(99, 99), path / "a.safetensors", kind="denoisers", name="a"
        ),
        lambda path: write_json(path / "history.json", ["row"] * 9999),
        named,
    ],
    ids=["checkpoint", "weights", "history", "check"],
)
def test_nothing_half_written_stays(write: Callable[[Path], None], tmp_path: Path) -> None:
    child = os.fork()
    if not child:  # the system kills it while it writes
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))
        try:
            write(tmp_path)
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGXFSZ
    left = [path.name for path in tmp_path.iterdir()]
    assert left
    (tmp_path / ".mine-of_2026.txt").touch()
    with RunFolder(tmp_path).locked():
        assert [path.name for path in tmp_path.iterdir()] == [".mine-of_2026.txt"], left
