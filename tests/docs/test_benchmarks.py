"""The scripts of the benchmarks: that names they import are there after a change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import importlib, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, ".")
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.slow
def test_each_script_imports(repository: Path) -> None:
    folder = repository / "benchmarks"
    names = sorted(file.stem for file in folder.glob("*.py"))
    assert len(names) > 20
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr


def test_each_script_says_what_is_missing_where_it_is_run(repository: Path) -> None:
    for script in (repository / "benchmarks").glob("*.py"):
        _, run, after = script.read_text(encoding="utf-8").partition('if __name__ == "__main__":\n')
        assert not run or after.startswith("    say_what_is_missing()\n"), script.name


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("dag_cifar.py",),
        pytest.param(("evaluate_advfilter.py", "cifar"), marks=pytest.mark.exhaustive),
    ],
)
def test_a_script_without_its_files_ends_with_one_sentence(
    repository: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    folder = repository / "benchmarks"
    nowhere = {name: str(tmp_path / "none") for name in (
        "ROBUST_RESTORATION_DATA", "ROBUST_RESTORATION_WEIGHTS"
    )}
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", str(folder / words[0]), *words[1:]],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, **nowhere, "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert ended.stderr.count("\n") == 1
    assert "ROBUST_RESTORATION_WEIGHTS say otherwise." in ended.stderr
