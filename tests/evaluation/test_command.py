"""The command ``evaluate`` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from robust_restoration import Result, create_denoiser, evaluate, write_image

Run = Callable[..., tuple[int, str, str]]
DENOISER = ("evaluate", "--denoiser", "dncnn_test")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(3):
        rough = torch.rand(1, 1, 8, 8)
        image = torch.nn.functional.interpolate(rough, size=(40, 36), mode="bilinear")[0]
        write_image(image, folder / f"{number}.png")
    return folder


@pytest.fixture
def classes(tmp_path: Path, photographs: torch.Tensor) -> Path:
    folder = tmp_path / "classes"
    for number, image in enumerate(photographs):
        write_image(image, folder / "ab"[number % 2] / f"{number}.png")
    return folder


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    import timm
    from safetensors.torch import save_file

    model = timm.create_model("test_resnet")
    save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    return f"test_resnet:{tmp_path / 'tiny.safetensors'}"


@pytest.mark.slow
def test_a_denoiser(run: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "results/r"
    words = (*DENOISER, "--data", photos, "--threat", "obsatk steps=2", "--threat",
             "denoising_pgd target=noisy eps=3", "--eps", 2, "--eps", "8/255", "--sigma", 15,
             "--limit", 2, "-o", out)
    torch.manual_seed(7)  # the denoiser is untrained
    status, text, err = run(*words)
    assert status == 0, err
    assert "random direction" in text
    assert {p.name for p in out.parent.iterdir()} == {
        f"r.{kind}" for kind in ("json", "md", "tex", "png", "csv")
    }
    result = Result.from_json(out.with_suffix(".json"))
    assert result.subjects == ["dncnn_test"]
    assert result.strengths("obsatk steps=2") == [2 / 255, 8 / 255]
    assert result.strengths("denoising_pgd target=noisy eps=3") == [3 / 255]
    assert result.settings["noise"] == "Gaussian noise of 15/255"
    with Image.open(out.with_suffix(".png")) as picture:
        assert picture.width > 400
    before = out.with_suffix(".json").read_text()
    torch.manual_seed(7)
    assert run(*words)[1] == text  # taken from the file
    torch.manual_seed(7)
    status, _, err = run(*words, "--seed", 1)
    assert status == 2
    assert "other settings (seed)" in err
    assert out.with_suffix(".json").read_text() == before
    assert run(*words, "--seed", 1, "--overwrite")[0] == 0
    assert Result.from_json(out.with_suffix(".json")).settings["seed"] == 1


def test_a_further_threat_joins_those_in_the_file(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robust_restoration.evaluation.engine import Engine

    monkeypatch.setattr(Engine, "checks", lambda engine: [f"{engine.threats[0].name}: odd."])
    words = (*DENOISER, "--data", photos, "--limit", 1, "-o", tmp_path / "r", "--threat")
    for threat in ("obsatk steps=1", "obsatk steps=2"):
        torch.manual_seed(7)  # the denoiser is untrained
        assert run(*words, threat)[0] == 0
        found = Result.from_json(tmp_path / "r.json")
        assert list(found.settings["threats"]) == found.threats
    assert found.threats == ["obsatk steps=1", "obsatk steps=2"]
    assert found.notes == ["obsatk steps=1: odd.", "obsatk steps=2: odd."]
    assert "obsatk steps=1" in (tmp_path / "r.md").read_text()


def test_what_is_asked_for_is_all_that_is_given_back(photos: Path, tmp_path: Path) -> None:
    denoiser, state = create_denoiser("dncnn_test"), tmp_path / "r.json"
    for threat in ("obsatk steps=1", "obsatk steps=2"):
        given = evaluate(denoiser, photos, threats=[threat], limit=1, state=state, progress=False)
        assert given.threats == list(given.settings["threats"]) == [threat]
    assert Result.from_json(state).threats == ["obsatk steps=1", "obsatk steps=2"]


def test_several_denoisers_as_json(run: Run, photos: Path) -> None:
    status, text, err = run(
        *DENOISER, "--denoiser", "n2n_unet", "--data", photos, "--threat", "obsatk steps=1",
        "--no-controls", "--no-checks", "--metric", "psnr", "--channels", 1, "--json",
    )
    if status == 2:  # a denoiser for colour: said in a sentence
        assert "channels" in err
        return
    assert {row["subject"] for row in json.loads(text)["summary"]} == {"dncnn_test", "n2n_unet"}


def test_purifiers(run: Run, classes: Path, classifier: str, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    status, text, err = run(
        "evaluate", "--classifier", classifier, "--data", classes, "--size", 32, "--purifier",
        "median", "--purifier", "bit_depth", "--eps", 8, "--threat", "gray-box steps=2",
        "--threat", "white-box-quick steps=2", "--threat", "black-box n_queries=3", "--no-checks",
        "-o", out,
    )
    assert status == 0, err
    assert text.count("bit_depth") >= 3  # once a threat
    result = Result.from_json(out.with_suffix(".json"))
    assert result.subjects == ["none", "median", "bit_depth"]
    assert result.strengths("white-box-quick steps=2") == [8 / 255]


def test_exit_status(run: Run, photos: Path) -> None:
    words = (*DENOISER, "--data", photos, "--threat", "obsatk steps=1", "--no-checks")
    assert run(*words, "--fail-below", "psnr=1")[0] == 0
    status, _, err = run(*words, "--fail-below", "psnr=90")
    assert status == 1
    assert "Below psnr=90: dncnn_test, unattacked" in err
    (photos / "broken.png").write_bytes(b"no image")
    status, _, err = run(*words)
    assert status == 1
    assert "broken.png" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("evaluate", "--data", "x"), "either --denoiser, or --classifier"),
        ((*DENOISER, "--data", "no-such-set"), "no-such-set"),
        ((*DENOISER, "--data", ".", "--sigma", "300"), "'300'"),
        ((*DENOISER, "--data", ".", "--size", 32), "--size is for classifiers"),
        ((*DENOISER, "--data", ".", "--purifier", "median"), "--purifier is for classifiers"),
        ((*DENOISER, "--data", ".", "--fail-below", "psnr"), "METRIC=VALUE"),
        ((*DENOISER, "--data", "none", "--fail-below", "pnsr=3"), "names 'pnsr'; measured"),
        (("evaluate", "--classifier", "c", "--data", ".", "--sigma", 25), "--sigma is for denois"),
        (("evaluate", "--classifier", "c", "--data", ".", "--noise", "x"), "--noise is for denois"),
        ((*DENOISER, "--data", ".", "-o", "file/out"), "file"),
        ((*DENOISER, "--data", ".", "--threat", "obsatq"), "obsatk"),
        ((*DENOISER, "--data", ".", "--threat", "obsatk stops=2"), "stops"),
    ],
)
def test_bad_input(
    run: Run, words: tuple[object, ...], sentence: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, photos: Path,
) -> None:
    monkeypatch.chdir(photos)
    (photos / "file").write_text("not a folder")
    status, out, err = run(*words)
    assert status == 2, err
    assert out == ""
    assert sentence in err
    assert "Traceback" not in err


def test_an_unwritable_out_is_noticed_before_all_work(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("work was done")

    monkeypatch.setattr("robust_restoration_loading.denoiser.load_denoiser", never)
    (photos / "file").write_text("")
    assert run(*DENOISER, "--data", photos, "-o", photos / "file/out")[0] == 2
    (photos / "r.json").write_text("{}")
    monkeypatch.undo()
    status, _, err = run(*DENOISER, "--data", photos, "-o", photos / "r")
    assert status == 2
    assert "is not a result of an evaluation" in err
