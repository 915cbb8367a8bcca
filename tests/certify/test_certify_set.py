"""Certifying a data set: the same figures however it is cut, stopped and resumed."""

import csv
import json

import numpy as np
import pytest
import torch
from robust_restoration_certify.certificates import (
    ABSTAINED,
    Certificates,
    CertifiedImage,
)
from robust_restoration_certify.smoothing import SmoothedClassifier
from torch import nn

import robust_restoration as rr
from robust_restoration.data import LabelledImages
from robust_restoration.errors import DataError, InputError


class Brightness(nn.Module):
    """Two classes, dark and bright: a linear classifier, whose margin is known."""

    def forward(self, images):
        side = (images.mean(dim=(1, 2, 3)) - 0.5) * 12
        return torch.stack([-side, side], 1)


@pytest.fixture
def data():
    gray = torch.tensor([20, 60, 100, 124, 130, 150, 200, 240], dtype=torch.uint8)
    images = gray.view(8, 1, 1, 1).expand(8, 1, 4, 4).contiguous()
    return LabelledImages(images, torch.tensor([0, 0, 0, 0, 1, 1, 1, 0]), name="grays")


def certified(data, **options):
    smoothed = SmoothedClassifier(Brightness(), sigma=0.25)
    return smoothed.certify_set(data, **{"n0": 20, "n": 200, "progress": False, **options})


def test_it_is_what_certify_says_of_each_image(data):
    found = certified(data)
    one_by_one = rr.certify(Brightness(), data.pixels(slice(None)), sigma=0.25, n0=20, n=200)
    assert [r.prediction for r in found.records] == one_by_one.prediction.tolist()
    assert [r.radius for r in found.records] == one_by_one.radius.tolist()
    assert [r.label for r in found.records] == data.labels.tolist()
    assert not found.records[-1].right  # bright, and labelled dark
    assert found.settings["data"] == "grays"
    assert found.settings["images"] == 8


def test_certified_accuracy_falls_with_the_radius(data):
    found = certified(data)
    shares = [found.certified(radius).mean for radius in np.linspace(0, 1.2, 50)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == sum(r.right for r in found.records) / 8
    assert shares[-1] == 0
    radii, curve = found.curve()
    assert [s.mean for s in curve] == [found.certified(radius).mean for radius in radii]
    # Certificates end before the distance to the border, which of this classifier is known.
    for record, gray in zip(found.records, data.images[:, 0, 0, 0].tolist(), strict=True):
        assert record.radius <= 4 * abs(gray / 255 - 0.5) + 1e-6


def test_intervals_and_abstentions_are_counted():
    records = [CertifiedImage(i, 1, 1 if i < 30 else ABSTAINED, 0.1 * (i < 30)) for i in range(40)]
    found = Certificates(records)
    share = found.certified(0.1)
    assert share.mean == 0.75
    assert found.abstentions().mean == 0.25
    # Wilson's ends: from there, what came is 1.96 standard deviations away.
    for end in share[1:]:
        assert abs(0.75 - end) == pytest.approx(1.96 * (end * (1 - end) / 40) ** 0.5, rel=1e-3)
    with pytest.raises(InputError, match="no certified image"):
        Certificates().certified(0)


def test_every_so_many_images_keep_their_numbers(data):
    whole, part = certified(data), certified(data, every=3)
    assert [r.image for r in part.records] == [0, 3, 6]
    assert part.records == [whole.records[i] for i in (0, 3, 6)]


class _Stops(Brightness):
    def __init__(self, after):
        super().__init__()
        self.left = after

    def forward(self, images):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().forward(images)


Stops = type("Brightness", (_Stops,), {})  # what is hashed where there are no weights


def test_a_stopped_run_goes_on_and_ends_alike(data, tmp_path, monkeypatch):
    state = tmp_path / "state.json"
    names = {"classifier": "brightness"}
    smoothed = SmoothedClassifier(Stops(9), sigma=0.25)
    with pytest.raises(KeyboardInterrupt):
        smoothed.certify_set(data, n0=20, n=200, state=state, names=names, progress=False)
    kept = Certificates.from_json(state).records
    assert 0 < len(kept) < 8
    counted = SmoothedClassifier(Brightness(), sigma=0.25)
    calls = []
    monkeypatch.setattr(counted, "base", lambda x: calls.append(len(x)) or Brightness()(x))
    found = counted.certify_set(data, n0=20, n=200, state=state, names=names, progress=False)
    assert sum(calls) == 220 * (8 - len(kept))
    assert found.records == certified(data).records
    assert Certificates.from_json(state) == found
    again = certified(data, state=state, names=names)
    assert again.records == found.records


def test_a_state_of_other_settings_is_refused(data, tmp_path):
    state = tmp_path / "state.json"
    certified(data, state=state)
    before = state.read_bytes()
    with pytest.raises(InputError, match="n is 200 there and 300 here"):
        certified(data, state=state, n=300)
    state.with_name("damaged.json").write_text('{"records": [{"image": 1}]}')
    with pytest.raises(DataError, match="holds no certificates"):
        certified(data, state=state.with_name("damaged.json"))
    assert state.read_bytes() == before


def test_a_batch_that_does_not_fit_is_halved(data):
    class Small(Brightness):
        def forward(self, images):
            if len(images) > 30:
                raise torch.OutOfMemoryError("too many")
            return super().forward(images)

    smoothed = SmoothedClassifier(Small(), sigma=0.25)
    found = smoothed.certify_set(data, n0=20, n=200, progress=False)
    assert found.records == certified(data).records
    assert smoothed.batch_size <= 30


@pytest.mark.slow
def test_files(data, tmp_path):
    found = certified(data)
    found.to_json(tmp_path / "a.json")
    assert Certificates.from_json(tmp_path / "a.json") == found
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["certified"]["0"]["mean"] == found.certified(0).mean
    found.to_csv(tmp_path / "a.csv")
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [float(row["radius"]) for row in rows] == [r.radius for r in found.records]
    assert rows[0]["sigma"] == "0.25"
    assert list(found.to_frame().columns) == list(rows[0])
    axes = found.plot(tmp_path / "a.png", beside={"more": certified(data, n=400)})
    assert len(axes.get_lines()) == 2
    assert found.to_latex([0]).count("\\\\") == 2
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    lines = found.to_markdown([0, 0.25]).splitlines()
    assert "8 images, sigma 0.25, n 200, alpha 0.001" in lines[0]
    assert lines[2] == "| L2 radius | 0 | 0.25 | abstained |"
    assert lines[4].startswith(f"| certified | {100 * found.certified(0).mean:.1f} ")


MODULE = """
import torch

class Brightness(torch.nn.Module):
    unit_range = True

    def forward(self, images):
        side = images.mean(dim=(1, 2, 3)) - 0.5
        return torch.stack([-side, side], 1)

def make():
    return Brightness()
"""
BRIGHTNESS = "certify_brightness:make"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Gray images as a file, and a module that makes a classifier of them, both importable."""
    gray = np.array([20, 60, 110, 120, 126, 128, 200, 240], np.uint8).reshape(8, 1, 1, 1)
    np.savez(tmp_path / "gray.npz", x=np.tile(gray, (1, 4, 4, 3)), y=np.array([0] * 5 + [1] * 3))
    (tmp_path / "certify_brightness.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def words(files, out):
    return [
        "certify", "--classifier", BRIGHTNESS, "--data", files / "gray.npz", "--draws", 100,
        "--guesses", 10, "-o", out,
    ]  # fmt: skip


@pytest.mark.slow
def test_the_command(files, run):
    out = files / "made" / "gray"
    status, shown, said = run(*words(files, out))
    assert status == 0, said
    assert "| certified |" in shown
    assert f"{BRIGHTNESS}, gray.npz: 8 images, sigma 0.25, n 100" in shown
    made = {file.name for file in out.parent.iterdir()}
    assert made == {f"gray.{kind}" for kind in ("json", "csv", "md", "png", "tex")}
    assert (out.parent / "gray.md").read_text().strip() == shown.strip()
    status, _, said = run(*words(files, out), "--sigma", "0.5")
    assert status == 2
    assert "sigma is 0.25 there and 0.5 here" in said
    status, shown, _ = run(*words(files, out), "--sigma", "0.5", "--overwrite", "--json")
    assert status == 0
    assert json.loads(shown)["settings"]["sigma"] == 0.5


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--sigma", "loud"), "loud"),
        (("--alpha", "2"), "alpha"),
        (("--draws", "0"), "n is 0"),
        (("--every", "0"), "every is 0"),
        (("--autocast", "int4"), "int4"),
        (("--denoiser", "none_such"), "none_such"),
    ],
)
def test_bad_input_is_one_sentence(files, run, option, message):
    status, _, said = run(*words(files, files / "bad"), *option)
    assert status == 2
    assert message in said.splitlines()[-1]
    assert not list(files.glob("bad*"))


SHARED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import robust_restoration_certify.over_data as over_data
from robust_restoration import cli
from robust_restoration.processes import Processes
from robust_restoration_certify.smoothing import SmoothedClassifier

out, dies = sys.argv[1], sys.argv[2] == "dies"
over_data.PAUSE = 0
mine, rank, certify = [], Processes().rank, SmoothedClassifier.certify
def spy(*given, index, **more):
    if dies and rank == 1 and len(mine) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    mine.append(index)
    return certify(*given, index=index, **more)
SmoothedClassifier.certify = spy
del sys.argv[1:3]
try:
    cli.main()
finally:
    with open(f"{{out}}.rank{{rank}}", "w") as file:
        file.write(" ".join(map(str, mine)))
"""


@pytest.mark.slow
def test_processes_share_the_images_and_those_of_one_that_died_are_certified_later(
    files, launch, run
):
    script = files / "script.py"
    script.write_text(SHARED.format(folder=str(files)))
    assert run(*words(files, files / "one"))[0] == 0
    one = Certificates.from_json(files / "one.json")
    with pytest.raises(AssertionError):
        launch(script, files / "two", "dies", *words(files, files / "two"), processes=2)
    assert len(Certificates.from_json(files / "two.part1.json").records) == 2
    parts = [Certificates.from_json(file).records for file in files.glob("two.part*")]
    kept = {record.image for records in parts for record in records}
    (files / "two.rank0").unlink(missing_ok=True)
    launch(script, files / "two", "lives", *words(files, files / "two"), processes=2)
    two = Certificates.from_json(files / "two.json")
    assert two.records == one.records
    assert two.settings == one.settings
    shares = [p.read_text().split() for p in sorted(files.glob("two.rank*"))]
    assert len(shares) == 2
    left = sorted({record.image for record in one.records} - kept)
    assert sorted(int(image) for share in shares for image in share) == left
    assert abs(len(shares[0]) - len(shares[1])) <= 1
    assert not list(files.glob("*part*"))
