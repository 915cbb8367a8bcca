"""The plugin's face and its commands."""

import json
import subprocess
import sys

import pytest
import torch
from PIL import Image
from robust_restoration_testing import check_plugin

import robust_restoration as rr

LIGHT = """
import sys
import robust_restoration_studies as studies
from robust_restoration.plugins.registry import registry
assert {"transfer", "similitude"} <= set(registry().list("commands"))
assert "torch" not in sys.modules
from robust_restoration_studies import transfer, similitude, typical_set_theory
import robust_restoration_studies.transferability
assert callable(transfer) and callable(similitude) and typical_set_theory.entropy(0.1)
assert all(hasattr(studies, name) for name in studies.__all__)
"""


@pytest.mark.slow
def test_the_face_is_lazy():
    run = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_it_conforms():
    check_plugin("studies")


@pytest.fixture
def folder(tmp_path):
    clean = torch.nn.functional.interpolate(torch.rand(2, 1, 6, 6), size=(32, 32))
    for number, image in enumerate(clean):
        rr.write_image(image, tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "further", "heading"),
    [
        ("transfer", ["--source", "dncnn_b=nt"], "made on"),
        ("similitude", ["--count", "6", "--shape", "ellipse"], "DMRS"),
    ],
)
def test_commands(command, further, heading, folder, tmp_path, run):
    words = ["--denoiser", "dncnn_b=nt", "--denoiser", "dncnn_b=hat", "--data", folder]
    words += ["--attack", "denoising_pgd steps=1 eps=8", "-o", tmp_path / "out", *further]
    status, out, err = run(command, *words)
    assert status == 0, err
    assert heading in out
    assert f"Wrote {tmp_path / 'out'}.json" in err
    assert heading in (tmp_path / "out.md").read_text()
    assert Image.open(tmp_path / "out.png").size[0] > 300
    status, out, err = run(command, *words, "--json", "--overwrite")
    assert status == 0, err
    if command == "transfer":
        assert json.loads(out)["settings"]["threats"]["dncnn_b=nt"]["eps"] == [8 / 255]
    assert json.loads(out) == json.loads((tmp_path / "out.json").read_text())
    assert set(json.loads(out)["names"]) == {"dncnn_b=nt", "dncnn_b=hat"}


@pytest.mark.parametrize("command", ["transfer", "similitude"])
def test_help_shows_an_example(command, run):
    status, out, _ = run(command, "--help")
    assert status == 0
    assert f"Example:  robust-restoration {command}" in out


def test_bad_input_is_one_sentence(folder, run):
    words = ["--denoiser", "dncnn_b=nt", "--data", folder]
    status, _, err = run("similitude", *words, "--count", "0")
    assert status == 2
    assert err.count("\n") == 1
    assert "count is 0; expected a whole number, 3 or more" in err
