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
