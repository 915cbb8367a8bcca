"""The wheel: what is in it, how large it is, and that every Python it names can use it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
FACE = """
import compileall, sys
import robust_restoration
from robust_restoration.plugins.discovery import discover
found = discover()
# The list of data sets takes numpy, which is compiled for one Python alone.
broken = {p.name: p.reason for p in found if p.status != "active" and "numpy" not in p.reason}
assert not broken, broken
assert robust_restoration.list_attacks() and "torch" not in sys.modules
assert compileall.compile_dir(sys.argv[1], quiet=1)
print(len(found))
"""


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=repository, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def interpreter(version: str) -> str | None:
    """A Python of a version that is here and runs."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in (*map(str, kept), f"python{version}"):
        try:
            subprocess.run([candidate, "-c", ""], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


@pytest.mark.slow
def test_what_is_in_it(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        sizes = {info.filename: info.file_size for info in files.infolist()}
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    told = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = told["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    packages = [Path(folder).name for folder in wanted]
    assert {name.split("/")[0] for name in sizes if "dist-info" not in name} == set(packages)
    assert all(f"{package}/py.typed" in sizes for package in packages)
    weights = {name: size for name, size in sizes.items() if name.endswith(".safetensors")}
    assert len(weights) >= 12
    assert sum(weights.values()) < 12e6
    assert all(name.replace(".safetensors", ".json") in sizes for name in weights)


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_lists_what_is_in_it(version: str, wheel: Path, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(tmp_path)
    # What the face needs is plain Python, which every version may take from this environment.
    shared = [p for p in sys.path if Path(p).name == "site-packages"]
    path = os.pathsep.join([str(tmp_path), *shared, sysconfig.get_path("purelib")])
    ended = subprocess.run(
        [python, "-s", "-c", FACE, str(tmp_path)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}, cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) >= 16
