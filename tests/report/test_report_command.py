"""The command ``report``."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from robust_restoration_report.certificates import read_result
from robust_restoration_report.write import write_report

from robust_restoration.errors import DataError, InputError
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


def certificates(path, **changed):
    """As certify writes them: eight images of which two are wrong and one abstains."""
    radii = [0.6, 0.6, 0.3, 0.1, 0.3, 0.7, 0.7, 0.0]
    predictions = [0, 0, 0, 0, 0, 1, 1, -1]
    records = [
        {"image": n, "label": 0, "prediction": p, "radius": r}
        for n, (p, r) in enumerate(zip(predictions, radii, strict=True))
    ]
    settings = {
        "classifier": "my.module:net", "denoiser": "cleaner", "sigma": 0.25, "n": 500,
        "alpha": 0.001, "data": "digits <b>",
    }
    share = {"mean": 0.0, "low": 0.0, "high": 1.0}
    content = {
        "settings": settings, "environment": {"torch": "2"}, "damaged": [], "abstained": share,
        "certified": dict.fromkeys(("0", "0.25", "0.5", "1"), share), "records": records,
    }
    content["abstained"] = share | {"mean": 0.125}
    path.write_text(json.dumps(content | changed))
    return path


def test_certificates_are_shown_by_radius_beside_other_results(tmp_path):
    found = read_result(certificates(tmp_path / "c.json"))
    (subject,) = found.subjects
    assert subject == "net behind cleaner, smoothed with sigma 0.25"
    (threat,) = found.threats
    shares = [found.mean(), *(found.mean(threat, eps=eps) for eps in (0.25, 0.5, 1))]
    assert shares == [5 / 8, 4 / 8, 2 / 8, 0]
    assert found.interval(threat, eps=1).high > 0.2  # none of eight does not mean none of all
    result(tmp_path / "a.json")
    # A file will do, and so will what has the content of one; nothing else.
    write_report([found], tmp_path / "page.html", beside=[tmp_path / "a.json"])
    page = (tmp_path / "page.html").read_text()
    assert "no attack whatever" in page
    assert page.count("L2 radius</") == 1  # below the curve
    with pytest.raises(InputError, match="cannot show a int; expected a result of evaluate"):
        write_report([found], tmp_path / "page.html", beside=[5])
    raw = json.loads((tmp_path / "c.json").read_text())
    read = read_result(tmp_path / "a.json")
    write_report([read], tmp_path / "page.html", beside=[SimpleNamespace(to_dict=lambda: raw)])
    page = (tmp_path / "page.html").read_text()
    assert "50.0 % (21.5 to 78.5) within 0.25" in page
    assert "0.0 % (0.0 to 32.4) within 1" in page
    assert "255/255" not in page
    assert "It abstains from 12.5 %." in page
    assert "no attack whatever" in page
    assert "digits &lt;b&gt;" in page


def test_files_that_certify_wrote_are_read():
    folder = Path(__file__).parents[2] / "benchmarks" / "results"
    for path in (p for p in folder.glob("certify-*.json") if "attacked" not in p.name):
        raw = json.loads(path.read_text())
        found = read_result(path)
        assert found.mean() == pytest.approx(raw["certified"]["0"]["mean"], abs=1e-4)
        assert found.settings["abstained"] == raw["abstained"]["mean"]


def test_certificates_that_are_none_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds no certificates"):
        read_result(certificates(tmp_path / "c.json", records=[{"image": 1}]))


def test_a_frame_without_pandas_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        Result([Record("a", "photos", "1", "unattacked", 0.0, "", "psnr", 30.0)]).to_frame()
