"""The plugin that CONTRIBUTING.md walks through works as it is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from robust_restoration.plugins import hooks
from robust_restoration.plugins.hooks import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def files():
    """Path and content of each block that begins with a comment naming a file."""
    blocks = re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", PAGE, re.M | re.S)
    return dict(blocks)


def test_every_block_of_code_names_its_file():
    assert len(files()) == len(re.findall(r"^```(?:python|toml)$", PAGE, re.M)) == 5


def test_every_hook_is_documented():
    table = re.findall(r"^\| `(\w+)` \|", PAGE, re.M)
    assert set(KINDS) <= set(table), f"not in CONTRIBUTING.md: {set(KINDS) - set(table)}"
    for kind in KINDS:
        assert getattr(hooks, kind).__doc__.strip()


def test_thirty_lines_are_thirty_lines():
    for path in ("robust_restoration_soften/soften.py", "robust_restoration_soften/brighten.py"):
        assert len(files()[path].splitlines()) <= 34


@pytest.mark.slow
def test_the_plugin_on_the_page_conforms(tmp_path):
    for path, content in files().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    project = tomllib.loads(files()["pyproject.toml"])["project"]
    facts = tmp_path / f"soften-{project['version']}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    (points,) = (p.items() for p in project["entry-points"].values())
    (facts / "entry_points.txt").write_text(
        "[robust_restoration]\n" + "\n".join(f"{name} = {module}" for name, module in points)
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
