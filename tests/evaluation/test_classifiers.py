"""Classifiers and purifiers: what is attacked, how figures are made, how it resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError
from robust_restoration.evaluation.whitebox import Expectation, StraightThrough, attackable


class Shuffled(rr.Purifier):
    """Random: adds noise, other at each call."""

    random = True

    def __init__(self, level: float = 0.05) -> None:
        super().__init__()
        self.level = level

    def forward(self, images: Tensor) -> Tensor:
        return (images + self.level * torch.randn_like(images)).clamp(0, 1)


class Mix(rr.Purifier):
    """Mixes the channels: an attack made on the bare classifier is far from one through it."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]]))

    def forward(self, images: Tensor) -> Tensor:
        return torch.einsum("ij,njhw->nihw", self.matrix, images)


@pytest.fixture
def data(tiny_classifier: nn.Module, photographs: Tensor) -> rr.LabelledImages:
    images = (torch.cat([photographs, photographs.flip(-1), photographs.flip(-2)]) * 255).byte()
    with torch.no_grad():  # what an untrained net says is right, but for the last image
        labels = rr.NormalizedClassifier(tiny_classifier)(images.float() / 255).argmax(1)
    labels[-1] = (labels[-1] + 1) % 10
    return rr.LabelledImages(images, labels, name="photographs")


THREATS = {
    "gray-box": "gray-box steps=5", "white-box": "white-box-quick steps=5",
    "black-box": "black-box n_queries=20",
}
EPS = (0.02, 0.1)


def table(subject: Any, data: rr.LabelledImages, **options: Any) -> rr.Result:
    given = {"threats": THREATS, "eps": EPS, "progress": False, "checks": False, **options}
    return rr.evaluate(subject, data, **given)


@pytest.mark.slow
def test_the_table(tiny_classifier: nn.Module, data: rr.LabelledImages) -> None:
    result = table(tiny_classifier, data, purifiers=["median", "bit_depth"], batch_size=5)
    assert result.subjects == ["none", "median", "bit_depth"]
    assert result.threats == list(THREATS)
    assert len([k for k in result.cells() if not k.control]) == 3 * (1 + 3 * 2)
    assert result.accuracy("none") == pytest.approx(11 / 12)
    assert result.accuracy("none", "gray-box", 0.0) == pytest.approx(11 / 12)
    for threat in ("white-box", "black-box"):
        for name in result.subjects:
            values = [result.accuracy(name, threat, e) for e in (0.0, *EPS)]
            assert values == sorted(values, reverse=True)
    assert result.accuracy("none", "white-box", 0.1) < 11 / 12
    blocks = result.to_markdown().split("\n\n")
    assert [b.split("|")[1].strip() for b in blocks] == list(THREATS)
    assert "| none | 91.7 (64.6 to 98.5) |" in blocks[0]
    assert result.settings["threats"]["white-box"]["through"] == "whole"
    assert not result.settings["threats"]["black-box"]["differentiates"]


def test_controls_know_nothing(tiny_classifier: nn.Module, data: rr.LabelledImages) -> None:
    result = table(tiny_classifier, data, threats={"w": "white-box-quick steps=10"}, eps=0.02,
                   name="bare")
    assert result.controls("w") == ["clamp only", "same energy", "random sign"]
    for control in result.controls("w"):
        assert result.mean("w", control=control) > result.mean("w")
        assert result.mean("w", control=control) >= 10 / 12
    assert result.mean("w", "size", control="clamp only") == 0
    assert result.mean("w", "size", control="random sign") == pytest.approx(0.02, rel=0.1)
    energy = result.values("w", "size", control="same energy")
    own = result.values("w", "size")
    assert list(energy.values()) == pytest.approx(list(own.values()), rel=0.1)


def test_a_classifier_alone_and_several(
    tiny_classifier: nn.Module, data: rr.LabelledImages
) -> None:
    alone = table(tiny_classifier, data, threats=["white-box-quick steps=3"], eps=0.02)
    assert alone.subjects == ["Sequential"]
    other = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 10))
    both = table(
        {"tiny": tiny_classifier, "other": other}, data, eps=0.02,
        threats=[rr.Threat("torchattacks/pgd", {"steps": 3}, through="each", name="pgd")],
    )
    assert both.threats == ["pgd on tiny", "pgd on other"]
    assert both.accuracy("tiny", "pgd on tiny") <= both.accuracy("tiny", "pgd on other")


@pytest.mark.parametrize("threat", ["white-box", "black-box"])
def test_attacks_through_the_purifier_are_made_through_it(
    tiny_classifier: nn.Module, data: rr.LabelledImages, threat: str
) -> None:
    """What was attacked is the whole: its answer is asked, and its parameters' gradients flow."""
    asked: list[bool] = []
    mix = Mix()

    class Spy(rr.Attack):
        random = False

        def __init__(self, model: nn.Module, eps: float) -> None:
            super().__init__("Spy", model)
            self.eps = eps

        def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
            before = self.model(inputs)
            kept = mix.matrix.data.clone()
            mix.matrix.data = torch.eye(3)
            asked.append(not torch.equal(self.model(inputs), before))
            mix.matrix.data = kept
            return inputs

    through = {"white-box": "whole", "black-box": "whole"}[threat]
    table(tiny_classifier, data, purifiers={"mix": mix}, eps=0.02,
          threats=[rr.Threat(Spy, through=through, name=threat)])
    assert asked == [False, True]  # the bare classifier's own row, and the purifier's
    asked.clear()
    table(tiny_classifier, data, purifiers={"mix": mix}, eps=0.02,
          threats=[rr.Threat(Spy, through="bare", name="gray")])
    assert asked == [False]  # made once, on the bare classifier, for both rows


@pytest.mark.parametrize(
    ("word", "more"),
    [
        ("white-box", " steps=5 n_queries=10"),
        ("white-box-quick", " steps=5"),
        ("black-box", " n_queries=150"),
    ],
)
def test_words_attack_what_they_say(
    tiny_classifier: nn.Module, data: rr.LabelledImages, word: str, more: str
) -> None:
    """By hand: the attack on purifier and classifier as one, and not that on the bare one."""
    mix = Mix().eval()
    whole = nn.Sequential(mix, rr.NormalizedClassifier(tiny_classifier))
    x = data.pixels(slice(None)).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        data.labels = whole(x).argmax(1)
    eps = 0.05
    result = table(tiny_classifier, data, purifiers={"mix": mix}, threats={"t": word + more},
                   eps=eps)
    name = "torchattacks/square" if word == "black-box" else "torchattacks/pgd"
    bare_made = table(
        tiny_classifier, data, purifiers={"mix": mix}, eps=eps,
        threats={"t": rr.Threat(name, {"n_queries": 150} if word == "black-box" else
                                {"steps": 5}, through="bare")},
    )
    assert result.accuracy("mix", "t") < bare_made.accuracy("mix", "t")


def test_gray_box_by_hand(tiny_classifier: nn.Module, data: rr.LabelledImages) -> None:
    blur = rr.create_purifier("gaussian_blur")
    steps = {"steps": 5, "alpha": "eps/4", "random_start": False}
    result = table(tiny_classifier, data, purifiers={"blur": blur}, seed=7,
                   threats=[rr.Threat("gray-box", steps)], eps=0.1)
    clean = data.pixels(slice(None)).contiguous(memory_format=torch.channels_last)
    attack = rr.create_attack("torchattacks/pgd", tiny_classifier, eps=0.1, alpha=0.025, steps=5,
                              random_start=False)
    pure = blur(attack(clean, data.labels))
    right = rr.NormalizedClassifier(tiny_classifier)(pure).argmax(1) == data.labels
    assert result.accuracy("blur", "gray-box", 0.1) == pytest.approx(float(right.float().mean()))
    assert result.mean("gray-box", "psnr", subject="blur") == pytest.approx(
        float(rr.psnr(pure, clean).mean()), rel=1e-5
    )


def test_straight_through_and_expectation(tiny_classifier: nn.Module, images: Tensor) -> None:
    bits = rr.create_purifier("bit_depth", bits=2)
    images.requires_grad_()
    out = StraightThrough(bits)(images)
    torch.testing.assert_close(out, bits(images))
    out.sum().backward()
    torch.testing.assert_close(images.grad, torch.ones_like(images))
    assert isinstance(attackable(tiny_classifier, Shuffled(), 4), Expectation)
    assert not isinstance(attackable(tiny_classifier, bits, 4), Expectation)
    fixed = attackable(tiny_classifier, rr.create_purifier("median"), 4)
    same = Expectation(fixed, 3)
    torch.testing.assert_close(same(images).softmax(1), fixed(images).softmax(1))


def test_a_random_purifier_s_figures_do_not_depend_on_the_batch(
    tiny_classifier: nn.Module, data: rr.LabelledImages
) -> None:
    before = torch.random.get_rng_state()
    found = []
    for size in (3, 7, 60):
        torch.rand(size)  # what ran before does not matter either
        found.append(
            table(
                tiny_classifier, data, purifiers={"noise": Shuffled(0.3)}, batch_size=size,
                threats={"gray": "gray-box steps=2", "white": "white-box-quick steps=2 draws=2"},
                eps=0.01, controls=False,
            )
        )
        state = torch.random.get_rng_state()
    for result in found[1:]:
        for one, other in zip(found[0].records, result.records, strict=True):
            assert one[:-1] == other[:-1]
            assert one.value == pytest.approx(other.value, abs=2e-3)
    torch.random.set_rng_state(before)
    for size in (3, 7, 60):
        torch.rand(size)
    assert torch.equal(torch.random.get_rng_state(), state)  # evaluating drew nothing from it


def test_a_random_purifier_is_attacked_in_expectation(
    tiny_classifier: nn.Module, data: rr.LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    forward = Shuffled.forward
    monkeypatch.setattr(
        Shuffled, "forward", lambda self, x: calls.append(len(x)) or forward(self, x)
    )
    data = data.subset(slice(0, 2))
    table(tiny_classifier, data, purifiers={"noise": Shuffled()}, eps=0.02, controls=False,
          threats=["white-box-quick steps=4 draws=3"])
    # Measured image by image: unattacked, once more to know which stand, attacked; and attacked in
    # 4 steps of 3 draws.
    assert calls == [1] * 4 + [2] * 4 * 3 + [1] * 2


def test_fallen_stays_fallen(tiny_classifier: nn.Module, data: rr.LabelledImages) -> None:
    class OnlyAtSmallEps(rr.Attack):
        random = False

        def __init__(self, model: nn.Module, eps: float) -> None:
            super().__init__("OnlyAtSmallEps", model)
            self.eps = eps

        def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
            return inputs * 0 + 0.5 if self.eps < 0.05 else inputs

    whole = table(tiny_classifier, data, threats=[rr.Threat(OnlyAtSmallEps, name="t")],
                  controls=False, name="bare")
    assert whole.mean("t", eps=0.02) < whole.mean()
    assert whole.mean("t", eps=0.1) == whole.mean("t", eps=0.02)
    gray = table(tiny_classifier, data, controls=False, name="bare",
                 threats=[rr.Threat(OnlyAtSmallEps, name="t", through="bare")])
    assert gray.mean("t", eps=0.1) == gray.mean()


def test_masked_gradients_are_noticed(tiny_classifier: nn.Module, data: rr.LabelledImages) -> None:
    class Rounded(rr.Purifier):  # says that it is differentiable, and its gradient is 0
        def forward(self, images: Tensor) -> Tensor:
            return (images * 255).round() / 255

    result = table(tiny_classifier, data, purifiers={"rounded": Rounded()}, checks=True,
                   threats=["white-box-quick steps=5"], eps=0.05)
    assert any(
        "rounded, white-box-quick steps=5: the gradient is 0 at 4 of 4 images" in w
        for w in result.warnings()
    )
    assert not any(w.startswith("none") for w in result.warnings())


def test_modes_and_flags_are_put_back(
    tiny_classifier: nn.Module, data: rr.LabelledImages
) -> None:
    mix = Mix().train()
    tiny_classifier.train()
    table(tiny_classifier, data, purifiers={"mix": mix}, threats=["white-box-quick steps=1"])
    assert mix.training
    assert tiny_classifier.training
    assert mix.matrix.requires_grad


def test_bad_options(tiny_classifier: nn.Module, data: rr.LabelledImages) -> None:
    for options, sentence in (
        ({"threats": ["black"]}, "offers the attack 'black'"),
        ({"noise": "poisson:30"}, "for denoisers"),
        ({"within_level": True}, "for denoisers"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"channels": 1}, "1 channels"),
    ):
        with pytest.raises(rr.RobustRestorationError, match=sentence):
            table(tiny_classifier, data, purifiers=["median"], **options)
    with pytest.raises(InputError, match="expected a denoiser or classifier"):
        rr.evaluate("resnet18", data)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="evaluate classifiers and denoisers each on their own"):
        rr.evaluate({"a": tiny_classifier, "b": nn.Identity()}, data)


def test_a_state_file_that_cannot_be_written(
    tiny_classifier: nn.Module, data: rr.LabelledImages, tmp_path: Path
) -> None:
    (tmp_path / "s.json").write_text("{")
    with pytest.raises(rr.DataError, match="is not a result of an evaluation"):
        table(tiny_classifier, data, state=tmp_path / "s.json")
