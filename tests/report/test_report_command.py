"""The command ``report``."""

import subprocess
import sys

import pytest

from robust_restoration.errors import InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result import Record


def run(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "robust_restoration.cli", *map(str, words)],
        capture_output=True, text=True, **options,
    )


def result(path, subject="mine"):
    found = [Record(subject, "photos", f"{n}", "unattacked", 0.0, "", "psnr", 30.0) for n in (1, 2)]
    Result(found, {}, {}, [], []).to_json(path)


@pytest.mark.slow
def test_report_writes_a_page_and_does_not_replace_one(tmp_path):
    result(tmp_path / "a.json")
    result(tmp_path / "b.json", "yours")
    out = tmp_path / "page.html"
    assert run("report", tmp_path / "a.json", tmp_path / "b.json", "-o", out).returncode == 0
    assert "yours" in out.read_text()
    again = run("report", tmp_path / "a.json", "-o", out)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_frame_without_pandas_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        Result([Record("a", "photos", "1", "unattacked", 0.0, "", "psnr", 30.0)]).to_frame()
