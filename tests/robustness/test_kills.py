"""Trainings killed at random moments end with the same bits, rows and files as undisturbed ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().with_name("kills.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.slow
def test_killed_runs_end_alike(one_thread: dict[str, str]) -> None:
    count = int(os.environ.get("ROBUST_RESTORATION_KILLS", 12))
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
