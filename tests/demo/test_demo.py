"""The demonstration runs as a user starts it, and shows what it says it shows."""

import ast
import json
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "robust_restoration_demo"
PUBLIC = {"robust_restoration", "robust_restoration.files", "robust_restoration.cli.app"}


def test_it_uses_public_calls_only():
    for file in PLUGIN.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = {name for name in names if name.startswith("robust_restoration")}
            assert ours <= PUBLIC, file.name


@pytest.mark.slow
def test_demo(run, tmp_path):
    status, out, err = run("demo", "-o", tmp_path / "demo", "--json")
    assert status == 0, err
    summary = json.loads(out)
    assert summary["clean"] > 0.95
    assert summary["attacked"] < 0.3
    assert summary["purified_gray_box"] > 0.8
    assert summary["purified_white_box"] < summary["purified_gray_box"] - 0.2
    assert 0.6 < summary["certified"] < summary["smoothed_clean"] < summary["clean"]
    nt, hat = summary["denoisers"]["nt"], summary["denoisers"]["hat"]
    assert hat["adaptive"] > nt["adaptive"] + 1
    assert nt["adaptive"] < nt["ObsAtk"] < nt["noisy"]
    assert {"photographs.png", "digits.png", "accuracy.png", "certified.png", "report.html",
            "demo.json"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }


def test_it_ends_with_one_page_of_both_parts(tmp_path, monkeypatch):
    from robust_restoration_demo import digits, photographs, run

    from robust_restoration.evaluation import Result
    from robust_restoration.evaluation.result import Record

    def measured(data, metric):
        return Result([Record("mine", data, "1", "unattacked", 0.0, "", metric, 1.0)])

    first = {"psnr": {}, "result": measured("photographs", "psnr")}
    second = {"result": measured("digits", "accuracy"), "clean": 1.0}
    monkeypatch.setattr(photographs, "attack_photographs", lambda *_, **__: first)
    monkeypatch.setattr(digits, "purify_digits", lambda *_, **__: dict(second))
    assert run.run_demo(tmp_path, quiet=True)["clean"] == 1.0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mine on photographs" in page
    assert "mine on digits" in page
    assert json.loads((tmp_path / "demo.json").read_text())["result"]["summary"]
