"""What the tests share. Nothing here imports torch until a fixture that needs it is used."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from torch import Tensor, nn

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """Share the cores among the workers, here and in subprocesses, before torch looks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, min(4, (cores or 1) // workers))))
    os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked ``exhaustive``, unless ``-m exhaustive`` or a test's name asks."""
    if "exhaustive" in config.option.markexpr or any("::" in word for word in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers in each test, alone or among others."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.default_generator.manual_seed(0)  # torch.manual_seed formats the stack, three times
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(0)


@pytest.fixture(autouse=True)
def forgotten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module that a test writes and imports is gone after it: another may write one so named."""
    before = set(sys.modules)
    yield
    root = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(root):
            del sys.modules[name]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of data sets: ``$ROBUST_RESTORATION_DATA``, or ``../shared/data``."""
    root = Path(os.environ.get("ROBUST_RESTORATION_DATA") or REPOSITORY.parent / "shared/data")
    if not root.is_dir():
        pytest.skip(f"no data sets at {root} (set ROBUST_RESTORATION_DATA to their folder)")
    return root


@pytest.fixture(scope="session")
def weights_root(data_root: Path) -> Path:
    """The folder of published weights, ``weights`` beside the data sets."""
    root = data_root.parent / "weights"
    if not root.is_dir():
        pytest.skip(f"no published weights at {root}")
    return root


@pytest.fixture
def tiny_classifier() -> nn.Module:
    """An untrained classifier, (N, 3, 32, 32) to 10 logits, in eval mode, always the same.

    Its ``pretrained_cfg`` has ImageNet's mean and std; it has batch norm and dropout, so that
    modes matter.
    """
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(64, 10),
        )
    model.pretrained_cfg = {  # type: ignore[assignment]
        "architecture": "tiny_classifier",
        "input_size": (3, 32, 32),
        "num_classes": 10,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    }
    return model.eval()


@pytest.fixture(scope="session")
def photographs() -> Tensor:
    """(4, 3, 32, 32) float32 in [0, 1]: parts of a photograph that comes with scikit-image."""
    import torch
    from skimage import data

    picture = torch.from_numpy(data.astronaut()).permute(2, 0, 1).float() / 255
    small = torch.nn.functional.avg_pool2d(picture[None], 4)  # (1, 3, 128, 128)
    corners = ((0, 32), (0, 64), (32, 32), (64, 48))
    return torch.cat([small[..., y : y + 32, x : x + 32] for y, x in corners]).clamp(0, 1)


@pytest.fixture
def images(photographs: Tensor) -> Tensor:
    """A copy of `photographs` that a test may change."""
    return photographs.clone()


@pytest.fixture
def fake_plugin(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Path]]:
    """A function that puts a fake installed distribution on ``sys.path``, for this test alone.

    ``fake_plugin(module, source, name=..., distribution=..., version=...)`` writes what ``pip
    install`` leaves behind (a module, ``METADATA``, ``entry_points.txt``) and returns the folder.
    """
    from robust_restoration.plugins.registry import registry

    def make(
        module: str,
        source: str,
        *,
        name: str | None = None,
        distribution: str | None = None,
        version: str = "1.2.3",
    ) -> Path:
        site = tmp_path_factory.mktemp("site")
        (site / f"{module}.py").write_text(source, encoding="utf-8")
        distribution = distribution or module.replace("_", "-")
        facts = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
        )
        (facts / "entry_points.txt").write_text(
            f"[robust_restoration]\n{name or module} = {module}\n", encoding="utf-8"
        )
        monkeypatch.syspath_prepend(str(site))
        registry.cache_clear()
        return site

    registry.cache_clear()
    yield make
    registry.cache_clear()


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line with words, and gives its exit status, output and error output."""
    from robust_restoration import cli

    monkeypatch.setenv("COLUMNS", "100")

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["robust-restoration", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def one_thread() -> dict[str, str]:
    """The environment of processes whose numbers are compared: more threads round otherwise."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def launcher() -> Iterator[subprocess.Popen[str]]:
    """The process that those of `launch` are forked from; see tests/launcher.py."""
    command = [sys.executable, REPOSITORY / "tests/launcher.py"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.communicate()


@pytest.fixture
def launch(
    launcher: subprocess.Popen[str], one_thread: dict[str, str], tmp_path: Path
) -> Callable[..., None]:
    """Runs a script to its end, with ``processes`` above 1 in as many that know of each other.

    torchrun itself is in tests/evaluation/test_resume.py. accelerate launch wants MPI for
    processors, and without it starts one process whatever it is told.
    """

    def call(script: Path, *arguments: object, processes: int = 1) -> None:
        printed = tmp_path / "printed"
        job = {
            "words": [str(script), *map(str, arguments)],
            "count": processes,
            "environment": one_thread,
            "printed": str(printed),
        }
        assert launcher.stdin is not None
        assert launcher.stdout is not None
        print(json.dumps(job), file=launcher.stdin, flush=True)
        status = launcher.stdout.readline().strip()
        assert status == "0", printed.read_text()

    return call
