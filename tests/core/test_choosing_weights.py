"""Which weights are found for an entry, and which of them a classifier is given."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import WeightsError
from robust_restoration.models import purify as purify_module
from robust_restoration.models import shipped as shipped_module
from robust_restoration.models.purify import find_purifier
from robust_restoration.models.shipped import (
    WeightsWarning,
    known_weights,
    model_card,
    shipped,
    weights_for,
)
from robust_restoration.models.weights import save_weights

PLUGIN = """
import torch
from torch import nn
from robust_restoration import Entry, Purifier, hookimpl

@hookimpl
def purifiers():
    return [Entry("zz_scale", "zz_scale:Scale", "scales")]

class Scale(Purifier):
    def __init__(self, *, channels=3):
        super().__init__()
        self.channels, self.options = channels, {"channels": channels}
        self.factor = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, images):
        return (images * self.factor).clamp(0, 1)
"""
OFFERS = """
from robust_restoration import Entry, hookimpl

@hookimpl
def weights():
    return [
        Entry("purifiers/zz_scale.mine", "zz_weights_package:files/mine.safetensors", "a tag"),
        Entry("purifiers/zz_scale/zz_scale.other", "zz_weights_package:files/mine.safetensors"),
        Entry("denoisers/zz_scale.not_this", "zz_weights_package:files/mine.safetensors"),
    ]
"""


@pytest.fixture
def folder(
    fake_plugin: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The user's folder of weights for purifiers, with a purifier to put some there for."""
    fake_plugin("zz_scale", PLUGIN)
    monkeypatch.setenv("ROBUST_RESTORATION_WEIGHTS", str(tmp_path))
    purify_module._trained.cache_clear()
    shipped_module._read_card.cache_clear()
    return tmp_path / "purifiers"


def put(folder: Path, tag: str, factor: float, channels: int = 3, **card: Any) -> Path:
    made = rr.create_purifier("zz_scale", channels=channels)
    with torch.no_grad():
        made.factor.fill_(factor)
    path = folder / f"zz_scale.{tag}.safetensors"
    card["channels"] = channels
    save_weights(made, path, kind="purifiers", name="zz_scale", card=card)
    return path


def factor(purifier: nn.Module) -> float:
    return round(next(purifier.parameters()).flatten()[0].item(), 3)


def like(size: int, channels: int = 3, name: str = "some_net") -> nn.Module:
    model = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.pretrained_cfg = {  # type: ignore[assignment]
        "architecture": name, "input_size": (channels, size, size)
    }
    return model.eval()


def test_the_users_own_are_found_by_the_classifiers_name(folder: Path) -> None:
    put(folder, "some_net", 0.5)
    put(folder, "other_net", 0.7)
    assert set(known_weights("purifiers", "zz_scale")) == {"some_net", "other_net"}
    assert shipped("purifiers", "zz_scale") == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert factor(find_purifier(like(224), "zz_scale")) == 0.5
        assert factor(find_purifier("other_net", "zz_scale")) == 0.7
        assert factor(find_purifier(like(32, name="other_net"), "zz_scale/zz_scale")) == 0.7
    assert factor(rr.create_purifier("zz_scale", weights="other_net")) == 0.7


def test_another_package_may_ship_weights(
    folder: Path, fake_plugin: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(folder, "x", 0.3)
    site = fake_plugin("zz_weights", OFFERS)
    package = site / "zz_weights_package"
    (package / "files").mkdir(parents=True)
    (package / "__init__.py").touch()
    path.rename(package / "files/mine.safetensors")
    assert set(shipped("purifiers", "zz_scale")) == {"mine", "other"}
    for tag in ("mine", "other"):
        assert factor(rr.create_purifier("zz_scale", weights=tag)) == 0.3


def test_a_tag_that_is_taken_stays_reachable(
    folder: Path, fake_plugin: Callable[..., Path]
) -> None:
    name = "general"
    own = shipped("purifiers", "advfilter")[name]
    source = OFFERS.replace("zz_scale.mine", f"advfilter.{name}")
    fake_plugin("zz_weights", source)
    tags = shipped("purifiers", "advfilter")
    assert tags[name] == own
    assert f"zz_weights/{name}" in tags


def test_general_weights_are_taken_without_a_warning(folder: Path) -> None:
    put(folder, "general", 0.1, classifier="*", input_size=224, channels=3)
    put(folder, "general-32", 0.2, classifier="*", input_size=32, channels=3)
    put(folder, "some_net", 0.3, classifier="some_net", input_size=32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for size, expected in ((224, 0.1), (299, 0.1), (96, 0.1), (32, 0.2), (28, 0.2)):
            assert factor(find_purifier(like(size, name="unknown"), "zz_scale")) == expected
        assert factor(find_purifier(like(224), "zz_scale")) == 0.3  # its own come first
        assert factor(find_purifier(None, "zz_scale")) == 0.1
        assert factor(find_purifier(None, "zz_scale", size=32)) == 0.2


def test_without_general_ones_the_nearest_with_a_warning(folder: Path) -> None:
    put(folder, "large", 0.1, input_size=224)
    put(folder, "small", 0.2, input_size=32)
    for size, expected in ((224, 0.1), (100, 0.1), (64, 0.2), (28, 0.2)):
        with pytest.warns(WeightsWarning, match="No 'zz_scale' weights were trained for 'some_n"):
            assert factor(find_purifier(like(size), "zz_scale")) == expected


def test_weights_for_other_channels_do_not_fit(folder: Path) -> None:
    put(folder, "general", 0.1, classifier="*", input_size=224, channels=3)
    with pytest.raises(
        WeightsError, match=r"1-channel images at 28 pixels; there are general \(3 channels"
    ):
        find_purifier(like(28, channels=1), "zz_scale")
    put(folder, "gray", 0.2, channels=1, input_size=28)
    with pytest.warns(WeightsWarning, match="'gray'"):
        assert factor(find_purifier(like(28, channels=1), "zz_scale")) == 0.2


@pytest.mark.parametrize("side", [32, 96])
def test_the_images_at_hand_do_not_matter(folder: Path, images: Tensor, side: int) -> None:
    put(folder, "general", 0.1, classifier="*", input_size=224, channels=3)
    put(folder, "general-32", 0.2, classifier="*", input_size=32, channels=3)
    model = like(32)
    x = torch.rand(2, 3, side, side)
    torch.testing.assert_close(rr.purify(model, x, purifier="zz_scale"), x * 0.2)
    assert factor(rr.PurifiedClassifier(model, "zz_scale").purifier) == 0.2


def test_a_purifier_finds_its_own_weights(folder: Path) -> None:
    put(folder, "some_net", 0.5)
    model = like(224)
    untrained = rr.create_purifier("zz_scale")
    assert factor(untrained.for_classifier(model)) == 0.5
    assert factor(untrained) == 1
    trained = rr.create_purifier("zz_scale", weights="some_net")
    assert trained.for_classifier(model) is trained
    plain = rr.create_purifier("median")
    assert plain.for_classifier(model) is plain
    assert factor(rr.create_purifier("median+zz_scale").for_classifier(model)) == 0.5


def test_a_second_call_opens_no_file(
    folder: Path, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(folder, "general", 0.1, classifier="*", input_size=224, channels=3)
    model = like(224)
    first = rr.purify(model, images, purifier="zz_scale+median")

    def refused(*args: Any, **options: Any) -> Any:
        raise AssertionError(f"opened {args}")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refused)
        patch.setattr("pathlib.Path.open", refused)
        patch.setattr("robust_restoration.models.weights.safe_open", refused)
        assert torch.equal(rr.purify(model, images, purifier="zz_scale+median"), first)
        robust = rr.PurifiedClassifier(model, "zz_scale")
    with torch.no_grad():
        next(robust.purifier.parameters()).zero_()  # a copy: what others are given stays
    assert torch.equal(rr.purify(model, images, purifier="zz_scale+median"), first)
    path.unlink()
    put(folder, "general", 0.6, classifier="*", input_size=224, channels=3)
    assert factor(find_purifier(model, "zz_scale")) == 0.6  # another file under the same name


@pytest.mark.parametrize("content", ["", "[1]", "{", "\xff", "[" * 100_000, '{"input_size": "x"}'])
def test_a_damaged_card_stops_nothing(folder: Path, content: str) -> None:
    path = put(folder, "some", 0.4)
    path.with_suffix(".json").write_text(content, encoding="latin-1")
    with pytest.warns(WeightsWarning):
        assert weights_for("purifiers", "zz_scale", "other", 224) == "some"
    if content != '{"input_size": "x"}':
        with pytest.raises(WeightsError, match=r"some\.json is damaged"):
            model_card(path)


def test_file_and_card_are_written_whole_or_not_at_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(folder, "some", 0.4, note="old")
    before = {p: p.read_bytes() for p in folder.iterdir()}
    made = rr.create_purifier("zz_scale")
    with pytest.raises(TypeError):
        save_weights(made, path, kind="purifiers", name="zz_scale", card={"x": object()})
    from safetensors import SafetensorError

    def full(*_: Any) -> None:
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("robust_restoration.models.weights.save_file", full)
    with pytest.raises(OSError, match="could not be written: No space left"):
        save_weights(made, path, kind="purifiers", name="zz_scale", card={"note": "new"})
    assert {p: p.read_bytes() for p in folder.iterdir()} == before
    assert json.loads(path.with_suffix(".json").read_text()) == {"note": "old", "channels": 3}


def test_what_float16_cannot_hold_is_not_written(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, 1e6)
    with pytest.raises(rr.InputError, match="weight has values beyond float16's range"):
        save_weights(
            model, tmp_path / "a.safetensors", kind="purifiers", name="median", half=True
        )
    assert not list(tmp_path.iterdir())
