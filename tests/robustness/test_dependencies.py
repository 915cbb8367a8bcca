"""What torchattacks pins and never imports is not needed: the whole package imports without it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import importlib, pkgutil, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("requests", "urllib3", "idna", "chardet"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
import robust_restoration
from robust_restoration.plugins.discovery import discover
for package in ("robust_restoration", *(p.module for p in discover() if p.builtin)):
    module = importlib.import_module(package)
    for info in pkgutil.walk_packages(module.__path__, f"{package}."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)
print(len([name for name in sys.modules if name.startswith("robust_restoration")]))
"""


@pytest.mark.slow
def test_the_whole_package_imports_without_requests() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", SCRIPT]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout.split()[-1]) > 150
