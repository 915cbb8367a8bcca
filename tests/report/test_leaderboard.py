"""A site of result files: what is taken, what is refused, and whether a row stands."""

import json
from pathlib import Path

import pytest
import torch
from robust_restoration_report.leaderboard.build import build
from robust_restoration_report.leaderboard.protocol import read_submission
from robust_restoration_report.leaderboard.verify import verify

import robust_restoration as rr
from robust_restoration.errors import DataError, InputError


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(3):
        image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(number))
        rr.write_image(image, folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def files(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for tag in ("nt", "hat"):
        word = f"dncnn_b={tag}"
        result = rr.evaluate(
            rr.create_denoiser("dncnn_b", weights=tag), photos, name=word, progress=False,
            threats=["obsatk steps=2"], sigma=20 / 255, checks=False, seed=3,
        )
        result.to_json(folder / f"{tag}.json")
    return folder


@pytest.fixture
def changed(files, tmp_path):
    def change(edit):
        content = json.loads((files / "nt.json").read_text())
        edit(content)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(content))
        return path

    return change


@pytest.mark.slow
def test_rows_measured_alike_stand_in_one_table(files, tmp_path):
    assert build(files, tmp_path / "site") == []
    (board,) = json.loads((tmp_path / "site" / "leaderboard.json").read_text())["boards"]
    assert {row["subject"] for row in board["rows"]} == {"dncnn_b=nt", "dncnn_b=hat"}
    worst = [row["worst"]["mean"] for row in board["rows"]]
    assert worst == sorted(worst, reverse=True)
    for row in board["rows"]:
        assert row["worst"]["mean"] <= min(f["mean"] for f in row["threats"].values()) + 1e-9
        assert (tmp_path / "site" / row["result"]).is_file()
    page = (tmp_path / "site" / "index.html").read_text()
    assert board["protocol"] in page
    assert "Model card of dncnn_b=hat" in page


def test_another_seed_or_strength_makes_another_table(files, changed, tmp_path):
    same = read_submission(files / "nt.json").digest
    assert read_submission(files / "hat.json").digest == same
    other = read_submission(changed(lambda c: c["settings"].update(seed=4)))
    assert other.digest != same


def raise_value(content):
    content["records"][0]["values"]["psnr"][0] += 1


def raise_both(content):
    raise_value(content)
    content["summary"][0]["psnr"] += 1 / 3


def without_attacks(content):  # as an evaluation that was stopped keeps it
    for part in ("records", "summary"):
        content[part] = [row for row in content[part] if row["threat"] == "unattacked"]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (without_attacks, "for 0 images of"),
        (raise_value, "one of them was changed"),
        (lambda c: c["settings"].pop("data_hash"), "no data_hash"),
        (lambda c: c["records"][0]["values"]["ssim"].__setitem__(0, 1.5), "no evaluation gives"),
        (lambda c: c["settings"]["threats"].clear(), "does not say what the threat"),
        (lambda c: c["settings"]["weights"].clear(), "which weights"),
        (lambda c: c["settings"].update(images=4), "3 images of 4"),
        (lambda c: c.pop("records"), "not a result"),
    ],
)
def test_what_does_not_hold_together_is_refused(changed, edit, reason):
    with pytest.raises(DataError, match=reason):
        read_submission(changed(edit))


def test_what_lies_beyond_a_limit_by_rounding_is_taken(changed):
    def edit(content):
        for group in content["records"]:
            group["values"]["ssim"] = [1.0000001192092896 for _ in group["values"]["ssim"]]
        for row in content["summary"]:
            row["ssim"] = 1.0000001192092896

    assert read_submission(changed(edit)).result.mean(metric="ssim") > 1


@pytest.mark.slow
def test_refused_files_are_named_on_the_page_and_others_are_taken(files, changed, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "bad.json").write_bytes(changed(raise_value).read_bytes())
    (folder / "good.json").write_bytes((files / "hat.json").read_bytes())
    refused = build(folder, tmp_path / "site")
    assert len(refused) == 1
    assert "one of them was changed" in (tmp_path / "site" / "index.html").read_text()
    (folder / "good.json").unlink()
    with pytest.raises(InputError, match="no result file that can be taken"):
        build(folder, tmp_path / "none")


def test_the_seed_holds_together():
    seed = Path(__file__).resolve().parents[2] / "benchmarks/results/leaderboard"
    subjects = {s for path in seed.glob("*.json") for s in read_submission(path).result.subjects}
    assert {"dncnn_b=hat", "dncnn_c=hat", "advfilter=general", "advfilter=general-32"} <= subjects


@pytest.mark.slow
def test_the_same_row_twice_is_refused(files, tmp_path):
    folder = tmp_path / "twice"
    folder.mkdir()
    for name in ("a.json", "b.json"):
        (folder / name).write_bytes((files / "nt.json").read_bytes())
    assert "already" in build(folder, tmp_path / "site")[0]


def test_a_row_stands_when_it_is_measured_again(files, photos):
    found = verify(read_submission(files / "nt.json"), sample=1, data=photos)
    assert {line.threat for line in found} == {"unattacked", "obsatk steps=2"}
    assert all(line.stands and line.images == 1 for line in found)


def test_a_consistent_lie_is_found_by_measuring_again(changed, photos):
    found = verify(read_submission(changed(raise_both)), sample=2, data=photos)
    assert [(line.threat, line.metric) for line in found if not line.stands] == [
        ("unattacked", "psnr")
    ]


def test_other_images_and_weights_are_told(files, changed, photos, tmp_path):
    rr.write_image(torch.zeros(1, 16, 16), tmp_path / "other" / "0.png")
    with pytest.raises(DataError, match="images here are not"):
        verify(read_submission(files / "nt.json"), data=tmp_path / "other")
    lie = changed(lambda c: c["settings"]["weights"].update({"dncnn_b=nt": "0"}))
    with pytest.raises(DataError, match="weights of dncnn_b=nt"):
        verify(read_submission(lie), data=photos)
    with pytest.raises(InputError, match="no row 'x'"):
        verify(read_submission(files / "nt.json"), subject="x", data=photos)


def test_rows_that_the_worst_attack_leaves_equal_stand_by_what_others_leave():
    from robust_restoration_report.figures import Figure
    from robust_restoration_report.leaderboard.build import Line, _mean

    figure = Figure(0.0, 0.0, 0.0, 1)
    threats = {"gray-box": Figure(68.0, 60.0, 70.0, 1), "white-box": figure}
    assert _mean(Line("a", "f", 8, figure, threats, figure, None)) == 34.0
