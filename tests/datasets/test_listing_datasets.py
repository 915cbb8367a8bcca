"""The list of data sets, and the command that shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from robust_restoration_datasets.listing import list_datasets
from robust_restoration_datasets.table import NAMED

from robust_restoration.images.files import write_image


def small(path: Path, seed: int = 0, size: tuple[int, int] = (6, 5)) -> None:
    """A small colour image, always the same for a seed."""
    write_image(torch.rand(3, *size, generator=torch.Generator().manual_seed(seed)), path)


def test_listing_counts_what_is_there(tmp_path: Path) -> None:
    for number in range(12):
        small(tmp_path / "Set12" / f"{number}.png")
    small(tmp_path / "CC15" / "a_mean.png")
    small(tmp_path / "CC15" / "a_real.png")
    small(tmp_path / "CC15" / "b_real.png")
    (tmp_path / "SIDD").mkdir()
    (tmp_path / "SIDD" / "ValidationGtBlocksSrgb.mat").write_bytes(b"")
    (tmp_path / "MNIST").mkdir()
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"):
        (tmp_path / "MNIST" / name).write_bytes(b"broken")
    (tmp_path / "empty").mkdir()
    small(tmp_path / "own" / "a.png")
    rows = {row.name: row for row in list_datasets(tmp_path)}
    named = [row for row in rows.values() if row.kind not in ("folder", "plugin")]
    assert len(named) == sum(len(s.splits) or 1 for s in NAMED)
    set12 = rows["set12"]
    assert (set12.found, set12.expected, set12.folder) == (12, 12, str(tmp_path / "Set12"))
    assert set12.size == sum(f.stat().st_size for f in (tmp_path / "Set12").iterdir())
    assert (rows["cc"].found, rows["cc"].expected) == (1, 15)
    assert "b_real.png has no partner b_mean.png" in rows["cc"].problem
    assert "lacks ValidationNoisyBlocksSrgb.mat" in rows["sidd"].problem
    assert "cannot be read" in rows["mnist:test"].problem
    assert (rows["kodak24"].found, rows["kodak24"].problem) == (0, "")
    assert rows["own"].found == 1
    assert "empty" not in rows


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    for number in range(3):
        small(tmp_path / "Set3c" / f"{number}.png")
    code = (
        "import sys\n"
        "from robust_restoration import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: status = end.code\n"
        "assert not {'torch', 'torchvision', 'skimage'} & set(sys.modules), 'heavy'\n"
        "sys.exit(status)\n"
    )

    def run(*words: object) -> str:
        command = [sys.executable, "-c", code, "datasets", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    text = run("--root", tmp_path)
    assert "3/3" in text
    assert "0/24" in text
    assert "r0k.us" in text
    assert str(tmp_path) in text
    assert "no such folder" in run("--root", tmp_path / "none")
    found = json.loads(run("--root", tmp_path, "--json"))
    assert found["root"] == str(tmp_path)
    row = next(row for row in found["datasets"] if row["name"] == "set3c")
    assert (row["found"], row["expected"], row["kind"]) == (3, 3, "restoration")
