"""Paired differences of two results, and weights with the figures of their cards."""

import importlib.util
import json
from pathlib import Path

import pytest
from robust_restoration_report.compare import compare_results
from robust_restoration_report.models import known_models
from typer.testing import CliRunner

from robust_restoration.errors import InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result import Record


def result(subject, gain=0.0, images=12, **settings):
    found = []
    for image in range(images):
        for threat, eps in (("unattacked", 0.0), ("pinch", 5 / 255)):
            value = 20 + 3 * image - 100 * eps + gain * (1 + 0.01 * image)
            found.append(Record(subject, "photos", f"{image}", threat, eps, "", "psnr", value))
    told = {"pinch": {"attack": "pinch", "options": {}, "eps": [5 / 255]}}
    return Result(found, {"seed": 0, "data_hash": "x", "threats": told, **settings})


def test_differences_are_paired():
    found, left_out = compare_results(result("a"), result("b", 0.5))
    assert left_out == []
    assert [(r.threat, r.images) for r in found] == [("unattacked", 12), ("pinch", 12)]
    for row in found:
        assert row.second - row.first == pytest.approx(row.difference)
        assert 0.5 < row.low <= row.difference <= row.high < 0.56  # images differ by up to 33 dB


def test_only_common_images_count():
    found, _ = compare_results(result("a"), result("a", 1.0, images=5))
    assert {r.images for r in found} == {5}
    assert all(1.0 <= r.difference < 1.05 for r in found)


@pytest.mark.parametrize("name", ["seed", "data_hash", "noise"])
def test_what_is_not_the_same_image_is_refused(name):
    with pytest.raises(InputError, match=name):
        compare_results(result("a"), result("a", **{name: "other"}))


def test_a_threat_with_other_options_is_left_out():
    second = result("a", threats={"pinch": {"attack": "pinch", "options": {"steps": 9}}})
    found, left_out = compare_results(result("a"), second)
    assert {r.threat for r in found} == {"unattacked"}
    assert "other options" in left_out[0]


def test_subjects_are_named_where_it_is_not_clear():
    two = Result.concat([result("b"), result("c")])
    with pytest.raises(InputError, match="--subject"):
        compare_results(result("a"), two)
    found, _ = compare_results(result("a"), two, [("a", "c")])
    assert {r.second_subject for r in found} == {"c"}
    with pytest.raises(InputError, match="no subject 'd'"):
        compare_results(result("a"), two, [("a", "d")])


def card_of(name, tag, plugin="advfilter"):
    folder = Path(importlib.util.find_spec(f"robust_restoration_{plugin}").origin).parent
    return json.loads((folder / "weights" / f"{name}.{tag}.json").read_text())


def test_weights_are_listed_with_what_their_cards_tell():
    found = {model.name: model for model in known_models()}
    model = found["dncnn_b=hat"]
    assert "28.82 dB at 25/255" in model.clean
    assert "26.56 dB under obsatk_auto 5/255" in model.attacked
    assert "30.08 dB under a random change" in model.attacked
    denoisers = [m for name, m in found.items() if name.startswith("dncnn_")]
    assert len(denoisers) >= 9
    assert all(m.attacked for m in denoisers)
    assert (model.training, model.kind) == ("hat", "denoisers")
    assert 30_000 < model.parameters < 100_000
    general = found["advfilter=general"]
    assert general.before == "*"
    assert "mobilenetv1_075" in general.clean
    accuracy = card_of("advfilter", "general")["numbers"]["accuracy"]
    share = accuracy["mobilenetv1_075|pgd|0.003"]["advfilter"]
    assert f"pgd 0.003: {100 * share:.0f} % of 110" in general.attacked
    resunet = next(m for name, m in found.items() if name.startswith("resunet="))
    attacks = card_of("resunet", "resnet20_cifar10", "purifiers")["numbers"]["attacks"]["8/255"]
    worst = min(told["worst_so_far"]["share"] for told in attacks.values())
    assert f"white-box 8/255: {100 * worst:.1f} %" in resunet.attacked
    smoothed = found["resunet_denoiser=cifar10-sigma025"]
    numbers = card_of("resunet_denoiser", "cifar10-sigma025", "purifiers")["numbers"]
    certified = numbers["certified"]["0.25"]["share"]
    assert f"{100 * certified:.1f} % at L2 0.25" in smoothed.attacked
    assert not [m.problem for m in found.values() if m.problem]
    assert [m.name for m in known_models("*=general-32")] == ["advfilter=general-32"]


def test_a_damaged_card_is_told_and_disturbs_no_other(tmp_path, monkeypatch):
    import numpy
    from safetensors.numpy import save_file

    monkeypatch.setenv("ROBUST_RESTORATION_WEIGHTS", str(tmp_path))
    (tmp_path / "denoisers").mkdir()
    save_file({"w": numpy.zeros((2, 3))}, tmp_path / "denoisers" / "dncnn_b.mine.safetensors")
    (tmp_path / "denoisers" / "dncnn_b.mine.json").write_text("{")
    (tmp_path / "denoisers" / "dncnn_b.worse.safetensors").write_text("no")
    found = {model.name: model for model in known_models("dncnn_b=*")}
    assert "damaged" in found["dncnn_b=mine"].problem
    assert found["dncnn_b=mine"].parameters == 6
    assert "damaged" in found["dncnn_b=worse"].problem
    assert found["dncnn_b=nt"].clean


def test_the_commands(tmp_path):
    import typer
    from robust_restoration_report import command

    alone = typer.Typer()
    alone.command()(command.compare)
    alone.command()(command.models)
    result("a").to_json(tmp_path / "a.json")
    result("b", 0.5).to_json(tmp_path / "b.json")
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    shown = CliRunner().invoke(alone, ["compare", *files])
    assert shown.exit_code == 0, shown.output
    assert "+0.53" in shown.output
    listed = CliRunner().invoke(alone, ["models", "dncnn_b=*", "--json"])
    assert "dncnn_b=hat" in {row["name"] for row in json.loads(listed.output)}
