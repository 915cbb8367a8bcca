"""The purifier weights that the package ships for attackers who know of them."""

from __future__ import annotations

import sys

import pytest
import torch

import robust_restoration as rr
from robust_restoration.models.shipped import model_card, shipped

TAG = "resnet20_cifar10"
pytestmark = pytest.mark.skipif(
    TAG not in shipped("purifiers", "resunet"), reason=f"no weights for {TAG} are shipped yet"
)


def test_its_card_says_how_it_came_about() -> None:
    path = shipped("purifiers", "resunet")[TAG]
    card = model_card(path)
    assert card["entry"] == "resunet"
    assert card["classifier"] == TAG
    assert "JPEG" in card["data"]
    assert {"training", "minutes", "numbers", "environment"} <= card.keys()
    assert path.stat().st_size < 7_000_000


@pytest.mark.slow
def test_it_holds_where_the_classifier_does_not(
    data_root, weights_root, repository, monkeypatch
) -> None:
    monkeypatch.setenv("ROBUST_RESTORATION_WEIGHTS", str(weights_root))
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    monkeypatch.delitem(sys.modules, "classifiers", raising=False)
    from robust_restoration.models.classifiers import with_unit_range

    classifier = rr.load_classifier("classifiers:resnet20_cifar10")
    data = rr.load_labelled(data_root / "cifar10_subset/test.npz", limit=50)
    images, labels = data.pixels(slice(None)), data.labels
    found = {}
    for name, model in {
        "bare": with_unit_range(classifier),
        "purified": rr.PurifiedClassifier(classifier, "resunet"),
    }.items():
        attack = rr.create_attack(
            "torchattacks/pgd", model, eps=2.55 / 255, alpha=0.6 / 255, steps=10
        )
        with torch.no_grad():
            found[name] = float((model(attack(images, labels)).argmax(1) == labels).float().mean())
    assert found["bare"] < 0.1
    assert found["purified"] > 0.3
