"""The ensemble for classifiers: never weaker than a member, within its budget, and said by whom."""

from __future__ import annotations

import math

import pytest
import torch
from robust_restoration_attacks.classifier_ensemble import ClassifierEnsemble
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError

EPS = 0.06
SMALL = {"eps": EPS, "steps": 4, "n_queries": 8, "seed": 1}


@pytest.fixture(scope="module")
def classifier() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, 4)
    ).eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def labels(classifier: nn.Module, images: Tensor) -> Tensor:
    labels = classifier(images).argmax(1)
    labels[0] = (labels[0] + 1) % 4  # one is wrong from the start
    return labels


def right(classifier: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return classifier(images).argmax(1) == labels


def test_never_weaker_than_a_member_and_within_the_budget(classifier, images, labels):
    attack = ClassifierEnsemble(classifier, **SMALL)
    attacked = attack(images, labels)
    held = right(classifier, attacked, labels)
    assert (attacked - images).abs().max() <= EPS + 1e-6
    for name, member in attack.members(4).items():
        member.seed = attack.seed
        alone = right(classifier, member(images, labels), labels)
        assert not (held & ~alone).any(), name
    assert attack.won[0] == "wrong"
    assert torch.equal(attacked[0], images[0])
    for row, won in enumerate(attack.won):
        assert (won == "none") == bool(held[row])
    assert {"none", "wrong"} != set(attack.won)  # it does fool some


def test_an_image_does_not_depend_on_its_batch(classifier, images, labels):
    attack = ClassifierEnsemble(classifier, **SMALL)
    whole = attack(images, labels)
    for row in (1, 7):
        one = attack(images[row : row + 1], labels[row : row + 1], index=row)
        assert torch.equal(one[0], whole[row])


def test_each_member_counts(classifier, images, labels, monkeypatch):
    """Where all others leave an image alone, the one that is left fools it and is named."""

    class Other(nn.Module):
        def __call__(self, images, labels, index=0):
            return images.clone()

    strongest = ClassifierEnsemble(classifier, **{**SMALL, "eps": 0.5}).members(4)
    for name in strongest:
        attack = ClassifierEnsemble(classifier, **{**SMALL, "eps": 0.5})
        chosen = {n: m if n == name else Other() for n, m in strongest.items()}
        monkeypatch.setattr(attack, "members", lambda classes, chosen=chosen: dict(chosen))
        attack(images, labels)
        assert set(attack.won) <= {name, "none", "wrong"}
        assert name in attack.won


def test_two_classes_and_gray_images():
    torch.manual_seed(0)
    two = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).eval()
    gray = torch.rand(3, 1, 8, 8)
    attack = ClassifierEnsemble(two, **SMALL)
    assert set(attack.members(2)) == {"apgd-ce", "ti-fgsm", "square"}
    attacked = attack(gray, two(gray).argmax(1))
    assert (attacked - gray).abs().max() <= EPS + 1e-6


def test_bad_input(classifier, images):
    with pytest.raises(InputError, match="version is '9'"):
        ClassifierEnsemble(classifier, version="9")
    with pytest.raises(InputError, match="steps"):
        ClassifierEnsemble(classifier, steps=0)
    with pytest.raises(InputError, match="needs the labels"):
        ClassifierEnsemble(classifier)(images)


def test_as_a_threat_it_goes_through_the_purifier(classifier, images, labels):
    class Constant(rr.Purifier):  # nothing gets through it
        def forward(self, images: Tensor) -> Tensor:
            return torch.full_like(images, 0.5) + 0 * images

    data = rr.LabelledImages((255 * images).byte(), labels)
    word = "white-box steps=2 n_queries=2"
    result = rr.evaluate(
        classifier, data, purifiers={"constant": Constant()}, threats=["gray-box steps=2", word],
        eps=EPS, progress=False,
    )
    frame = result.to_frame()
    figures = frame[(frame.metric == "accuracy") & frame.control.isin(["", None])]
    mean = figures.groupby(["subject", "threat"]).value.mean()
    assert mean["constant", word] == mean["constant", "unattacked"]
    assert mean["none", word] < mean["none", "unattacked"]
    assert math.isclose(result.settings["threats"][word]["eps"][0], EPS)
    assert result.settings["threats"][word]["attack"].endswith("/classifier_ensemble")
