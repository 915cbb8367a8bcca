"""The one result: what is asked of it, its exports, several as one."""

from __future__ import annotations

import csv
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image
from scipy.stats import binom

from robust_restoration import DataError, InputError, Result
from robust_restoration.cli.app import hand_over
from robust_restoration.evaluation.result import Record
from robust_restoration.evaluation.result.intervals import of_mean
from robust_restoration.evaluation.result.intervals import share as share_of
from robust_restoration.plugins.discovery import DISABLE_VARIABLE
from robust_restoration.plugins.registry import registry


def told(through: str = "whole", differentiates: bool = True, **more: object) -> dict:
    return {"through": through, "differentiates": differentiates, "eps": [], **more}


def restored(name: str = "net", shift: float = 0.0, data: str = "set") -> Result:
    """Two images: 30 and 28 dB, 26 and 25 under attack, 29 and 27 under its control."""
    rows = []
    for image, plain, attacked, control in (("a", 30, 26, 29), ("b", 28, 25, 27)):
        for threat, eps, which, value in (
            ("unattacked", 0.0, "", plain), ("t", 5 / 255, "", attacked),
            ("t", 5 / 255, "clamp only", control),
        ):
            about = (name, data, image, threat, eps, which)
            rows += [
                Record(*about, "psnr", value + shift), Record(*about, "ssim", 0.9),
                Record(*about, "size", eps), Record(*about, "observed psnr", 20.0),
            ]
    return Result(rows, {"denoiser": name, "sigma": 0.1, "threats": {"t": told()}}, {"torch": "x"})


def classified(**accuracies: float) -> Result:
    """A purifier's ten images at eps 0.1, so many right under each threat."""
    rows = []
    for threat, share in {"unattacked": 1.0, **accuracies}.items():
        eps = 0.0 if threat == "unattacked" else 0.1
        rows += [
            Record("p", "set", str(n), threat, eps, "", "accuracy", float(n < share * 10))
            for n in range(10)
        ]
    threats = {
        "gray": told("bare"), "white": told(), "black": told(differentiates=False),
    }
    return Result(rows, {"classifier": "c", "threats": threats})


def test_it_is_printed_without_a_plugin_that_draws_tables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "scrutiny")
    registry.cache_clear()
    try:
        printed, markdown = str(restored()), restored().to_markdown()
        hand_over(restored(), tmp_path / "r", as_json=True)  # in the forms that there are
    finally:
        monkeypatch.undo()
        registry.cache_clear()
    assert {path.name for path in tmp_path.iterdir()} == {"r.json", "r.md", "r.csv"}
    for word in ("unattacked", "clamp only", "29", "25.5"):
        assert word in printed
        assert word in markdown


def test_means_and_what_there_is() -> None:
    result = restored()
    assert result.subjects == ["net"]
    assert result.threats == ["t"]
    assert result.metrics == ["psnr", "ssim", "size", "observed psnr"]
    assert result.images() == ["a", "b"]
    assert result.mean() == 29
    assert result.mean("t") == 25.5
    assert result.mean("t", control="clamp only") == 28
    assert result.dmr("t") == -3.5
    for words, sentence in (
        ({"threat": "x"}, "nothing of threat 'x'"),
        ({"threat": "t", "metric": "accuracy"}, "no 'accuracy'"),
        ({"threat": "t", "subject": "other"}, "there are the subjects net"),
    ):
        with pytest.raises(InputError, match=sentence):
            result.mean(**words)


def test_intervals_and_paired_differences() -> None:
    result = restored("one") + restored("two", shift=1.0)
    with pytest.raises(InputError, match=r"say which subject= \(one, two\)"):
        result.mean("t")
    middle, low, high = result.interval("t", subject="one")
    assert (middle, low, high) == (25.5, 25.0, 26.0)
    assert result.interval("t", subject="one") == result.interval("t", subject="one")
    paired = result.difference("two", "one", threat="t")
    assert tuple(paired) == (1.0, 1.0, 1.0)  # though the images differ by more than the two do
    drop = result.difference({"threat": "t"}, {"threat": "unattacked"}, subject="one")
    assert drop.mean == -3.5
    assert drop.low == -4
    assert drop.high == -3


def test_the_bootstrap_is_drawn_in_few_calls_and_image_by_image_alike() -> None:
    """A leaderboard has thousands of intervals, which took minutes of two thousand calls each."""
    values = list(np.random.default_rng(0).normal(size=600))  # drawn in two parts
    begun = time.process_time()
    found = [of_mean(values, "psnr", seed) for seed in range(20)]
    assert time.process_time() - begun < 1.0
    draw = np.random.default_rng(19)
    means = [np.asarray(values)[draw.integers(0, 600, 600)].mean() for _ in range(2000)]
    assert found[19][1:] == tuple(np.quantile(means, [0.025, 0.975]))


def test_shares_have_intervals_with_a_width_also_at_their_ends() -> None:
    for share in (0.0, 1.0):
        found = classified(gray=share).interval("gray")
        assert found.mean == share
        assert found.low >= 0
        assert found.high <= 1
        assert 0.2 < found.high - found.low < 0.35  # Wilson's z^2 / (n + z^2) is 0.28
    unchanged = classified(gray=1.0).difference({"threat": "gray"}, {"threat": "unattacked"})
    assert unchanged.mean == 0
    assert unchanged.low == -unchanged.high < -0.1
    worse = classified(gray=0.0).difference({"threat": "gray"}, {"threat": "unattacked"})
    assert worse.low == -1 == worse.mean
    assert -0.8 < worse.high < -0.5
    with pytest.raises(InputError, match="3 successes of 2"):
        share_of(3, 2)


def test_wilson_covers_what_it_says() -> None:
    """Over all that may come of 40 draws, on average over shares, 95 % of intervals hold it."""
    ends = [share_of(k, 40) for k in range(41)]
    held = []
    for truth in [n / 50 for n in range(1, 50)]:
        inside = [k for k, e in enumerate(ends) if e.low <= truth <= e.high]
        held.append(binom.pmf(inside, 40, truth).sum())
    assert 0.94 < sum(held) / len(held) < 0.97


def test_an_attack_without_a_budget_keeps_one_row(tmp_path: Path) -> None:
    result = restored()
    result.records = [r._replace(eps=math.inf) if r.eps else r for r in result.records]
    again = Result.from_json(result.to_json())
    assert again.cells() == result.cells()
    assert len(again.cells()) == 3
    assert again.strengths("t") == [math.inf]
    assert again.mean("t", eps=math.inf) == 25.5
    json.loads(result.to_json(), parse_constant=pytest.fail)  # neither NaN nor Infinity


def test_latex() -> None:
    result = restored("net_1")
    result.settings["denoiser"] = "net_1\n50%"
    text = result.to_latex()
    lines = text.splitlines()
    assert lines[0] == "% net_1 50% on set (2 images)"  # all of it within the comment
    assert lines[1:3] == [r"\begin{tabular}{lrrrr}", r"\toprule"]
    assert r"t & 25.50 $\pm$0.50 & 0.9000 & -3.50 $\pm$0.50 & 5.00 \\" in lines
    assert r"\quad clamp only & 28.00 $\pm$1.00" in text
    both = (result + restored("two")).to_latex()
    assert r"net\_1 & t &" in both
    assert r"\begin{tabular}{llrrrr}" in both


def test_exports(tmp_path: Path) -> None:
    result = restored()
    result.notes.append("a note")
    path = tmp_path / "r.json"
    text = result.to_json(path)
    assert json.loads(text) == json.loads(path.read_text()) == result.to_dict()
    for source in (path, str(path), text):
        assert Result.from_json(source).to_dict() == result.to_dict()
    assert json.loads(text)["summary"][1]["psnr"] == 25.5
    result.to_csv(tmp_path / "r.csv")
    with (tmp_path / "r.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.records)
    assert rows[0] == {
        "subject": "net", "data": "set", "image": "a", "threat": "unattacked", "eps": "0.0",
        "control": "", "metric": "psnr", "value": "30.0",
    }
    frame = result.to_frame()
    attacked = frame[(frame.threat == "t") & (frame.control == "") & (frame.metric == "psnr")]
    assert attacked.value.mean() == 25.5
    assert "| t | 25.50 ±0.50 | 0.9000 | -3.50 ±0.50 | 5.00 |" in result.to_markdown()
    assert "| · clamp only | 28.00 ±1.00 |" in result.to_markdown()
    assert "25.50" in str(result)
    for damaged in ("{", '{"cells": 3}', "[1]"):
        path.write_text(damaged)
        with pytest.raises(DataError, match="is not a result of an evaluation"):
            Result.from_json(path)
    with pytest.raises(DataError):
        Result.from_json(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("damaged",), 5),
        (("notes",), [{"a": 1}]),
        (("environment",), []),
        (("images", "set"), [["a"], "b"]),
        (("settings",), None),
        (("settings", "noise"), [1]),
        (("settings", "data"), {}),
        (("settings", "threats"), "t"),
        (("settings", "threats"), {"t": None}),
        (("settings", "threats"), {"t": {"eps": "x"}}),
        (("settings", "threats"), {"t": {"limit": "x"}}),
        (("settings", "weights"), [1]),
        (("records", 1, "subject"), 7),
        (("records", 1, "eps"), -1),
        (("records", 1, "eps"), math.nan),
        (("records", 1, "control"), ["x"]),
    ],
    ids=str,
)
def test_parts_of_another_kind_are_one_sentence(place: tuple[Any, ...], value: Any) -> None:
    content = inner = json.loads(restored().to_json())
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(DataError, match="is not a result of an evaluation"):
        Result.from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("settings",), "it has no 'settings'"),
        (("environment",), "it has no 'environment'"),
        (("images",), "it has no 'images'"),
        (("records",), "it has no 'records'"),
        (("images", "set"), "it has no 'set'"),
        (("records", 0, "values"), "it has no 'values'"),
        (("records", 0, "values", "psnr", 0), "not as long as each other"),
    ],
    ids=str,
)
def test_a_part_that_is_missing_is_named(place: tuple[Any, ...], said: str) -> None:
    content = inner = json.loads(restored().to_json())
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    with pytest.raises(DataError) as error:
        Result.from_json(json.dumps(content))
    assert said in str(error.value)
    assert "Error" not in str(error.value)


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("deep.json", "pipe.json"):
        with pytest.raises(DataError, match="is not a result of an evaluation"):
            Result.from_json(tmp_path / name)


def test_a_threat_on_fewer_images_keeps_its_images() -> None:
    result = restored()
    result.records = [r for r in result.records if r.threat != "t" or r.image == "b"]
    again = Result.from_json(result.to_json())
    assert again.values("t") == {"b": 25}
    assert again.dmr("t") == -3  # against the same image, not all


def test_tables_by_strength() -> None:
    result = classified(gray=0.9, white=0.4)
    blocks = result.to_markdown().split("\n\n")
    assert blocks[0].splitlines()[::2] == [
        "| gray | 0 | 0.1 |", "| p | 100.0 (72.2 to 100.0) | 90.0 (59.6 to 98.2) |"
    ]
    assert result.accuracy("p", "white", 0.1) == 0.4
    assert result.accuracy("p", "white", 0) == result.accuracy("p") == 1
    assert "accuracy in %, white" in str(result)


def test_a_table_of_few_attacked_images_shows_these_without_an_attack_too() -> None:
    result = classified(gray=0.9, white=0.4)
    few = result.images()[:3]
    result.records = [
        r._replace(value=0.0) if r.threat == "unattacked" and r.image not in few else r
        for r in result.records if r.threat != "white" or r.image in few
    ]
    gray, white = (block.splitlines()[2] for block in result.to_markdown().split("\n\n")[:2])
    assert gray.startswith("| p | 30.0")  # of ten images, seven are wrong
    assert white.startswith("| p | 100.0")  # of the three that were attacked, none


def test_warnings() -> None:
    masked, gap = classified(gray=0.9, white=0.6, black=0.2).warnings()
    assert "black, which uses no gradients, leaves 20% and white 60%" in masked
    assert "90% against an attacker who does not know of it, and 60%" in gap
    assert classified(gray=0.7, white=0.6, black=0.7).warnings() == []
    assert restored().warnings() == []
    result = restored()
    result.records = [
        r._replace(value=25.0) if r.control and r.metric == "psnr" else r for r in result.records
    ]
    assert result.warnings() == [
        "t leaves 25.50 dB and its control 'clamp only' 25.00: the drop is not the attack's doing."
    ]


def test_of_many_curves_the_best_are_drawn() -> None:
    """Five beside the bare one; the title says that others are left out, a panel its images."""
    rows = []
    for number, subject in enumerate(["none", *"abcdefgh"]):
        for threat, eps in (("unattacked", 0.0), ("t", 0.1), ("t", 0.2), ("t", 0.3)):
            rows += [
                Record(subject, "set", str(n), threat, eps, "", "accuracy", float(n < number))
                for n in range(10 if threat == "unattacked" else 8)
            ]
    panel = Result(rows, {"classifier": "c", "threats": {"t": told()}}).plot()
    assert {line.get_label() for line in panel.get_lines()} == {"no purifier", *"defgh"}
    assert "3 subjects that keep less are in the table alone" in panel.figure.get_suptitle()
    assert panel.get_title().endswith("8 of 10 images")


def test_several_as_one() -> None:
    both = restored("one") + restored("two", 1.0)
    assert both.subjects == ["one", "two"]
    assert both.settings["sigma"] == 0.1
    assert "denoiser" not in both.settings
    assert [p["denoiser"] for p in both.settings["parts"]] == ["one", "two"]
    assert Result.from_json(both.to_json()).to_dict() == both.to_dict()
    assert (both + restored("three")).subjects == ["one", "two", "three"]
    sets = Result.concat([restored(), restored(data="other")])
    assert sets.data == ["set", "other"]
    assert len(sets.to_markdown().split("\n\n")) == 2
    with pytest.raises(InputError, match="names of their own"):
        restored() + restored()
    other = restored("two")
    other.settings["threats"]["t"] = told(norm=2)
    with pytest.raises(InputError, match="not the same in all"):
        restored("one") + other


@pytest.mark.parametrize(
    "result",
    [
        restored(), restored("one") + restored("two", 1.0), restored() + restored(data="other"),
        classified(gray=0.9, white=0.4),
        Result(restored("one").records + restored("two").records, {"threats": {"t": told("one")}}),
    ],
)
def test_plots(result: Result, tmp_path: Path) -> None:
    axes = result.plot(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width > 400
    # As pyplot.subplots gives them: one, or an array of several.
    panels = list(axes) if len(result.threats) > 1 and "accuracy" in result.metrics else [axes]
    assert all(isinstance(panel, Axes) for panel in panels)
    assert panels[0].figure.axes == panels
    with pytest.raises(InputError, match="no 'lpips'"):
        result.plot(metric="lpips")
