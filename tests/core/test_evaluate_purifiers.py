"""The robustness table: what is attacked, how figures are made, how it resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from robust_restoration import create_purifier, evaluate_purifiers
from robust_restoration.contracts import Purifier
from robust_restoration.data import LabelledImages
from robust_restoration.errors import DataError, InputError
from robust_restoration.evaluation import PurificationResult
from robust_restoration.evaluation.whitebox import Expectation, StraightThrough, attackable
from robust_restoration.images.metrics import psnr


class Shuffled(Purifier):
    """Random: adds noise, other at each call."""

    random = True

    def forward(self, images: Tensor) -> Tensor:
        return (images + 0.05 * torch.randn_like(images)).clamp(0, 1)


@pytest.fixture
def data(tiny_classifier: nn.Module, photographs: Tensor) -> LabelledImages:
    from robust_restoration import NormalizedClassifier

    images = (torch.cat([photographs, photographs.flip(-1), photographs.flip(-2)]) * 255).byte()
    with torch.no_grad():  # what an untrained net says is right, but for the last image
        labels = NormalizedClassifier(tiny_classifier)(images.float() / 255).argmax(1)
    labels[-1] = (labels[-1] + 1) % 10
    return LabelledImages(images, labels, name="photographs")


OPTIONS = {"strengths": (0.0, 0.02, 0.1), "steps": 5, "square_queries": 20, "progress": False}


def test_the_table(tiny_classifier: nn.Module, data: LabelledImages) -> None:
    result = evaluate_purifiers(
        tiny_classifier, data, purifiers=["median", "bit_depth"], batch_size=5, **OPTIONS
    )
    assert result.order == ["none", "median", "bit_depth"]
    assert len(result.cells) == 3 * 3 * 3
    assert result.accuracy("none", "gray-box", 0.0) == pytest.approx(11 / 12)
    for threat in ("white-box", "square"):
        for name in result.order:
            values = [result.accuracy(name, threat, e) for e in (0.0, 0.02, 0.1)]
            assert values == sorted(values, reverse=True)
            assert values[0] == result.accuracy(name, "gray-box", 0.0)
    assert result.accuracy("none", "white-box", 0.1) < 11 / 12
    blocks = result.to_markdown().split("\n\n")
    assert [b.split("|")[1].strip() for b in blocks] == ["gray-box", "white-box", "square"]
    assert "none" in str(result)
    assert len(result.to_frame()) == 27


def test_gray_box_by_hand(tiny_classifier: nn.Module, data: LabelledImages) -> None:
    from robust_restoration import NormalizedClassifier, create_attack

    blur = create_purifier("gaussian_blur")
    result = evaluate_purifiers(
        tiny_classifier, data, purifiers={"blur": blur}, threats=["gray-box"], seed=7,
        batch_size=12, **OPTIONS
    )
    clean = data.pixels(slice(None)).contiguous(memory_format=torch.channels_last)
    attack = create_attack(
        "torchattacks/pgd", tiny_classifier, eps=0.1, alpha=0.1 * 4 / 3 / 5, steps=5
    )
    torch.manual_seed(7)
    pure = blur(attack(clean, data.labels))
    right = NormalizedClassifier(tiny_classifier)(pure).argmax(1) == data.labels
    cell = result.cells["blur", "gray-box", 0.1]
    assert cell["accuracy"] == pytest.approx(float(right.float().mean()))
    assert cell["psnr"] == pytest.approx(float(psnr(pure, clean).mean()), rel=1e-5)


def test_resumes_and_recomputes_only_what_changed(
    tiny_classifier: nn.Module, data: LabelledImages, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = tmp_path / "state.json"
    options = {**OPTIONS, "threats": ["gray-box", "white-box"], "state": state}
    first = evaluate_purifiers(tiny_classifier, data, purifiers=["median"], **options)
    put: list[str] = []
    original = PurificationResult.put
    monkeypatch.setattr(
        PurificationResult, "put",
        lambda self, name, *rest: put.append(name) or original(self, name, *rest),
    )
    again = evaluate_purifiers(tiny_classifier, data, purifiers=["median"], **options)
    assert put == []
    assert again.cells == first.cells
    other = {"median": create_purifier("median", kernel_size=5), "blur": create_purifier(
        "gaussian_blur")}
    evaluate_purifiers(tiny_classifier, data, purifiers=other, **options)
    assert set(put) == {"median", "blur"}
    with pytest.raises(InputError, match="other settings \\(seed\\)"):
        evaluate_purifiers(tiny_classifier, data, purifiers=["median"], seed=1, **options)


def test_straight_through_and_expectation(tiny_classifier: nn.Module, images: Tensor) -> None:
    bits = create_purifier("bit_depth", bits=2)
    images.requires_grad_()
    out = StraightThrough(bits)(images)
    torch.testing.assert_close(out, bits(images))
    out.sum().backward()
    torch.testing.assert_close(images.grad, torch.ones_like(images))
    assert isinstance(attackable(tiny_classifier, Shuffled(), 4), Expectation)
    assert not isinstance(attackable(tiny_classifier, bits, 4), Expectation)
    fixed = attackable(tiny_classifier, create_purifier("median"), 4)
    same = Expectation(fixed, 3)
    torch.testing.assert_close(same(images).softmax(1), fixed(images).softmax(1))


def test_a_random_purifier_is_attacked_in_expectation(
    tiny_classifier: nn.Module, data: LabelledImages
) -> None:
    result = evaluate_purifiers(
        tiny_classifier, data, purifiers={"noise": Shuffled()}, threats=["white-box"], draws=3,
        **OPTIONS
    )
    assert result.accuracy("noise", "white-box", 0.1) <= result.accuracy("noise", "white-box", 0)


def test_warnings_of_masked_gradients_and_of_a_gap() -> None:
    result = PurificationResult(order=["none", "p"])
    for threat, accuracy in (("gray-box", 0.9), ("white-box", 0.6), ("square", 0.2)):
        result.put("p", threat, 0.1, {"accuracy": accuracy, "images": 10})
    masked, gap = result.warnings()
    assert "Square, which uses no gradients, leaves 20% and the white-box attack 60%" in masked
    assert "90% against an attacker who does not know of it, and 60%" in gap


def test_json_round_trip_and_damage(tmp_path: Path) -> None:
    result = PurificationResult({"seed": 1}, {"torch": "x"}, order=["none"], marks={"none": "a"})
    result.put("none", "gray-box", 0.1, {"accuracy": 0.5, "images": 4.0})
    result.to_json(tmp_path / "r.json")
    assert PurificationResult.from_json(tmp_path / "r.json") == result
    (tmp_path / "r.json").write_text(json.dumps({"cells": 3}))
    with pytest.raises(DataError, match="no result of an evaluation"):
        PurificationResult.from_json(tmp_path / "r.json")


def test_plot(tmp_path: Path) -> None:
    from PIL import Image

    result = PurificationResult({"classifier": "c"}, order=["none", "p"])
    for threat in ("gray-box", "white-box"):
        for eps in (0.0, 0.1):
            result.put("none", threat, eps, {"accuracy": 0.9 - eps, "images": 4})
    result.put("p", "gray-box", 0.1, {"accuracy": 0.7, "images": 4})
    result.plot(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width > 600


def test_bad_options(tiny_classifier: nn.Module, data: LabelledImages) -> None:
    with pytest.raises(InputError, match="expected threats out of"):
        evaluate_purifiers(tiny_classifier, data, purifiers=["median"], threats=["black"])
    gray = LabelledImages(data.images[:, :1], data.labels)
    with pytest.raises(InputError, match="1 channels"):
        evaluate_purifiers(tiny_classifier, gray, purifiers=["median"])
