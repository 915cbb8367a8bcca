"""The demonstration runs as a user starts it, and shows what it says it shows."""

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "robust_restoration_demo"
PUBLIC = {"robust_restoration", "robust_restoration.files", "robust_restoration.cli.app"}


def test_it_uses_public_calls_only():
    for file in PLUGIN.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = {name for name in names if name.startswith("robust_restoration")}
            assert ours <= PUBLIC, file.name


def test_the_classifier_comes_trained():
    """Its weights fit the network, and know digits that it has not learnt."""
    from robust_restoration_demo.classifier import load_classifier
    from robust_restoration_demo.digits import load_digits_32

    import robust_restoration as rr

    test = load_digits_32()[1].subset(slice(100))
    with torch.no_grad():
        said = rr.NormalizedClassifier(load_classifier())(test.pixels(slice(None))).argmax(1)
    assert (said == test.labels).float().mean() > 0.95


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
    image = {"image": 0, "label": 1, "prediction": 1, "radius": 0.3, "p_lower": 0.9}
    third = SimpleNamespace(
        to_dict=lambda: {
            "settings": {"classifier": "c", "denoiser": "blur", "sigma": 0.25, "data": "digits"},
            "records": [image], "certified": {"0": {}, "0.25": {}}, "abstained": {"mean": 0.0},
            "environment": {}, "damaged": [],
        }
    )
    second = {
        "result": measured("digits", "accuracy"), "certificates": third, "clean": 1.0
    }
    monkeypatch.setattr(photographs, "attack_photographs", lambda *_, **__: first)
    threads = []

    def purify_digits(*_, **__):
        threads.append(torch.get_num_threads())
        return dict(second)

    monkeypatch.setattr(digits, "purify_digits", purify_digits)
    before = torch.get_num_threads()
    assert run.run_demo(tmp_path, quiet=True)["clean"] == 1.0
    assert threads == [1]
    assert torch.get_num_threads() == before
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mine on photographs" in page
    assert "mine on digits" in page
    assert "c behind blur, smoothed with sigma 0.25 on digits" in page
    assert json.loads((tmp_path / "demo.json").read_text())["result"]["summary"]
