"""A disk that is full at any moment: one error of a known kind, and nothing lost or left behind."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from robust_restoration_files import attack_files, denoise_files
from safetensors import SafetensorError
from torch import nn

import robust_restoration as rr
from robust_restoration.files import write_json


class Disk:
    """Counts the calls that need space, and fails at one of them."""

    def __init__(self) -> None:
        self.calls, self.full_at = 0, 0

    def take(self, error: Callable[[], Exception]) -> None:
        self.calls += 1
        if self.calls == self.full_at:
            raise error()


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Making, filling, syncing and renaming files, each of which may find the disk full."""
    from robust_restoration.models import weights

    found = Disk()

    def watch(owner: Any, name: str, error: Callable[[], Exception] = no_space) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            found.take(error)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    def half(path: Path, text: str, *args: Any, **kwargs: Any) -> int:
        found.calls += 1
        if found.calls == found.full_at:
            original(path, text[: len(text) // 2], *args, **kwargs)
            raise no_space()
        return original(path, text, *args, **kwargs)

    original = Path.write_text
    watch(tempfile, "mkstemp")
    watch(Path, "replace")
    monkeypatch.setattr(os, "fsync", lambda handle: found.take(no_space))
    monkeypatch.setattr(Path, "write_text", half)
    told = "I/O error: No space left on device (os error 28)"
    watch(safetensors.torch, "save_file", lambda: SafetensorError(told))
    watch(weights, "save_file", lambda: SafetensorError(told))
    return found


def train(folder: Path) -> None:
    from kills import Line, Points  # beside this file

    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
    options: dict[str, Any] = {"steps": 18, "batch_size": 4, "save_every": 1, "validate_every": 2}
    rr.train(net, Line(), Points(10), out=folder / "run", validation=Points(4), progress=False,
             **options)


def save(folder: Path) -> None:
    card = {"made": "here"}
    torch.manual_seed(0)
    made = rr.create_denoiser("dncnn_test")
    path = folder / "w.safetensors"
    rr.save_weights(made, path, kind="denoisers", name="dncnn_test", card=card)


class Blur(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(x, 3, 1, 1)


def denoise(folder: Path) -> None:
    denoise_files([folder.parent / "photos"], folder / "out", Blur(), progress=False)


def attack(folder: Path) -> None:
    options = {"eps": 5 / 255, "steps": 1}
    attack_files([folder.parent / "photos"], folder / "out", Blur(), attack="obsatk",
                 attack_options=options, progress=False)


def measure(folder: Path) -> None:
    result = rr.evaluate(
        Blur(), folder.parent / "photos", threats=["obsatk steps=1"], checks=False, progress=False,
        state=folder / "r.json", strips=folder / "strips",
    )
    result.to_csv(folder / "r.csv")


def put(folder: Path) -> None:
    write_json(folder / "a.json", {"new": list(range(50))})


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".png"
        and "strips" not in p.parts
    }


@contextmanager
def photos(folder: Path) -> Iterator[None]:
    torch.manual_seed(0)
    for number in range(2):
        rr.write_image(torch.rand(1, 24, 24), folder / f"photos/{number}.png")
    yield


WORK = (train, save, denoise, attack, measure, put)


@pytest.mark.slow
@pytest.mark.parametrize(
    "every",
    [
        pytest.param(23, id="some"),
        pytest.param(1, id="all", marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_a_full_disk(
    work: Callable[[Path], None], every: int, disk: Disk, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with photos(tmp_path):
        whole = tmp_path / "whole"
        whole.mkdir()
        disk.calls = 0
        work(whole)
        points, silent = disk.calls, 0
        for point in range(1, points + 1, every):
            folder = tmp_path / f"at{point}"
            folder.mkdir()
            disk.calls, disk.full_at = 0, point
            try:
                work(folder)
            except (rr.RobustRestorationError, OSError):
                pass
            else:
                silent += 1
            disk.full_at = 0
            left = [str(p) for p in folder.rglob(".*")]
            assert left == [], f"{work.__name__} left {left} at point {point}"
            work(folder)  # there is space again
            assert sorted(contents(folder)) == sorted(contents(whole)), point
            if work in (put, denoise):
                assert contents(folder) == contents(whole), point
            elif work is save:
                now, then = (contents(f)["w.safetensors"] for f in (folder, whole))
                assert weights(now) == weights(then), point
            elif work is train:
                now, then = (contents(f)["run/checkpoint.safetensors"] for f in (folder, whole))
                assert weights(now) == weights(then), point
                for name in ("run/history.json", "run/curves.csv"):
                    assert contents(folder)[name] == contents(whole)[name], point
    print(f"{work.__name__}: {len(range(1, points + 1, every))} of {points} points")  # noqa: T201
    assert silent == 0


def weights(content: bytes) -> dict[str, list[float]]:
    return {name: t.flatten().tolist() for name, t in safetensors.torch.load(content).items()}
