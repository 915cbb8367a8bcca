"""fit_purifier(): what is fitted, within how long, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result import Record


@pytest.fixture(scope="module")
def photographs_of_32() -> Tensor:
    """(36, 3, 32, 32) uint8: parts of a photograph."""
    from skimage import data

    picture = torch.from_numpy(data.astronaut()).permute(2, 0, 1)[:, ::2, ::2]
    parts = picture.unfold(1, 32, 40).unfold(2, 32, 40).permute(1, 2, 0, 3, 4)
    return parts.reshape(-1, 3, 32, 32).contiguous()


@pytest.fixture
def classifier(photographs_of_32: Tensor) -> nn.Module:
    """Trained on nothing, and yet of several opinions on the photographs."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.Tanh(), nn.Conv2d(8, 8, 5, stride=2), nn.Tanh(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.BatchNorm1d(32, affine=False), nn.Linear(32, 5),
    )
    model.pretrained_cfg = {  # type: ignore[assignment]
        "architecture": "zz_mine", "input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3,
    }
    with torch.no_grad():  # the statistics of batch norm
        for _ in range(30):
            model(photographs_of_32.float() / 127.5 - 1)
    return model.eval()


@pytest.mark.slow
def test_it_fits_says_what_it_gains_and_is_found_by_name(
    classifier: nn.Module,
    photographs_of_32: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ROBUST_RESTORATION_WEIGHTS", str(tmp_path / "mine"))
    general = rr.create_purifier("advfilter", weights="general-32")
    made = rr.fit_purifier(
        classifier, photographs_of_32, out=tmp_path / "fit", minutes=0.01, keep=True,
        progress=False,
    )
    said = capsys.readouterr().out
    assert "beginning from the weights advfilter.general-32" in said
    assert "gain" in said.splitlines()[-2]
    for row in ("none", "8 bits", "median 3x3", "JPEG 75", "before fitting", "fitted"):
        assert row in said
    images = photographs_of_32[:4].float() / 255
    assert torch.equal(made(images), general(images)) == ("is given back" in said)
    assert isinstance(made.gains, Result)
    found = rr.purify(classifier, images)  # by the classifier's name, in the user's folder
    torch.testing.assert_close(found, made(images).detach())
    file = tmp_path / "fit/advfilter.zz_mine.safetensors"
    again = rr.create_purifier("advfilter", weights=str(file))
    torch.testing.assert_close(again(images), made(images))
    card = json.loads(file.with_suffix(".json").read_text())
    assert (card["classifier"], card["input_size"], card["channels"]) == ("zz_mine", 32, 3)
    # A stopped fit goes on as it was begun, and one of other images does not begin there.
    plan = json.loads((tmp_path / "fit/fit.json").read_text())
    monkeypatch.delenv("ROBUST_RESTORATION_WEIGHTS")
    same = rr.fit_purifier(
        classifier, photographs_of_32, out=tmp_path / "fit", minutes=0.01, progress=False
    )
    torch.testing.assert_close(same(images), made(images))
    assert json.loads((tmp_path / "fit/fit.json").read_text()) == plan
    with pytest.raises(InputError, match="a fit with another data"):
        rr.fit_purifier(classifier, photographs_of_32[1:], out=tmp_path / "fit", minutes=0.01)
    (tmp_path / "fit/fit.json").write_text('{"about": 5}')
    with pytest.raises(InputError, match=r"fit\.json is damaged"):
        rr.fit_purifier(classifier, photographs_of_32, out=tmp_path / "fit", minutes=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("gained", [False, True])
def test_images_come_as_a_data_set_and_without_a_folder_nothing_stays(
    gained: bool,
    classifier: nn.Module,
    photographs_of_32: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torchvision.transforms.functional import to_pil_image

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUST_RESTORATION_CACHE", str(tmp_path))

    class Set(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return 24

        def __getitem__(self, number: int) -> tuple[object, int]:
            return to_pil_image(photographs_of_32[number]), 0

    # What keeps no more than what it began from is not given.
    monkeypatch.setattr("robust_restoration_advfilter.fitting.summary", lambda *_: ("", {}, gained))
    said: list[str] = []
    made = rr.fit_purifier(classifier, Set(), minutes=0.005, progress=False, announce=said.append)
    images = photographs_of_32[:4].float() / 255
    general = rr.create_purifier("advfilter", weights="general-32")
    assert torch.equal(made(images), general(images)) != gained
    assert len(said) == 2
    assert "8 images are held back" in said[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("start", "ours", "word"),
    [
        (70.0, 80.0, "It gains 20.0 points over JPEG 75"),
        (70.0, 50.0, "It gains 10.0 points over JPEG 75"),
        (40.0, 50.0, "It gains nothing: JPEG 75 keeps 10.0"),
    ],
)
def test_the_verdict(start: float, ours: float, word: str) -> None:
    from robust_restoration_advfilter.gain import summary

    kept = {"none": 0.4, "JPEG 75": 0.6, "before fitting": start / 100}
    kept["fitted"] = ours / 100
    records = [
        Record(subject, "data", str(n), threat, eps, "", "accuracy", float(n < 10 * share))
        for subject, share in kept.items()
        for threat, eps in (("unattacked", 0.0), ("PGD", 3e-3), ("PGD", 1e-2))
        for n in range(10)
    ]
    text, figures, gained = summary(Result(records), 10)
    assert word in text
    assert gained == (ours > start) == ("Fitting itself gained nothing" not in text)
    assert figures["fitted"] == {"clean": ours, "0.003": ours, "0.01": ours}


def test_bad_input(classifier: nn.Module, photographs_of_32: Tensor) -> None:
    few = photographs_of_32[:19]
    cases = [
        (classifier, few, "19 images to fit on; expected at least 20"),
        (classifier, photographs_of_32[..., :15], "32 x 15 pixels; expected sides of at least 16"),
        (classifier, photographs_of_32[:1].expand(30, -1, -1, -1), "says class . of all 30 images"),
        (classifier, photographs_of_32[:, :1], "have 1 channels and the classifier takes 3"),
        (classifier, photographs_of_32.float(), "not normalised, or uint8"),
        (classifier, 3, "images is of type int"),
        (classifier, [None] * 30, "Sample 0 of the images is of type NoneType"),
        ("resnet18", photographs_of_32, "expected a torch module"),
        (rr.PurifiedClassifier(classifier, "median"), photographs_of_32, "give the bare one"),
    ]
    for subject, images, message in cases:
        with pytest.raises(InputError, match=message):
            rr.fit_purifier(subject, images, minutes=0.01, progress=False)
    del classifier.pretrained_cfg
    with pytest.raises(InputError, match="has none but its class, Sequential"):
        rr.fit_purifier(classifier, photographs_of_32, keep=True, progress=False)
    with pytest.raises(InputError, match="minutes"):
        rr.fit_purifier(classifier, photographs_of_32, minutes=0, progress=False)
