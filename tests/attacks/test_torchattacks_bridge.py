"""torchattacks' attacks by name, and what the bridge mends in them."""

from __future__ import annotations

import math

import pytest
import torch
import torchattacks
from robust_restoration_attacks import TORCHATTACKS
from torch import Tensor, nn

from robust_restoration import create_attack, list_attacks
from robust_restoration.errors import InputError, UnknownNameError
from robust_restoration.models.classifiers import NormalizedClassifier
from robust_restoration.testing import check_attack

LINF = ["bim", "fgsm", "ffgsm", "mifgsm", "nifgsm", "pgd", "tpgd", "upgd", "jitter", "eotpgd"]


def test_every_attack_is_listed_and_creatable(tiny_classifier: nn.Module) -> None:
    installed = {n.lower() for n in torchattacks.__all__ if n not in torchattacks.__wrapper__}
    assert set(TORCHATTACKS) == installed
    assert set(list_attacks("torchattacks/*")) == {f"torchattacks/{n}" for n in installed}
    for name in installed:
        options = {"n_classes": 10} if name in ("apgdt", "autoattack", "fab") else {}
        attack = create_attack(f"torchattacks/{name}", tiny_classifier, **options)
        original = next(
            getattr(torchattacks, n) for n in torchattacks.__all__ if n.lower() == name
        )
        assert isinstance(attack, original)


@pytest.mark.parametrize("name", LINF)
def test_stays_within_eps_and_range(
    name: str, tiny_classifier: nn.Module, images: Tensor
) -> None:
    labels = torch.arange(len(images))
    attacked = create_attack(f"torchattacks/{name}", tiny_classifier, eps=0.05)(images, labels)
    assert attacked.shape == images.shape
    assert float((attacked - images).abs().max()) <= 0.05 + 1e-6
    assert 0 <= float(attacked.min()) <= float(attacked.max()) <= 1


@pytest.mark.parametrize("name", ["pgdl2", "pgdrsl2"])
def test_stays_within_an_l2_eps(name: str, tiny_classifier: nn.Module, images: Tensor) -> None:
    attack = create_attack(f"torchattacks/{name}", tiny_classifier, eps=0.5)
    delta = attack(images, torch.arange(len(images))) - images
    assert float(delta.flatten(1).norm(dim=1).max()) <= 0.5 + 1e-5


def test_the_classifiers_normalisation_is_applied(
    tiny_classifier: nn.Module, images: Tensor
) -> None:
    labels = torch.arange(len(images))
    options = {"eps": 0.03, "alpha": 0.01, "steps": 5, "random_start": False}
    ours = create_attack("torchattacks/pgd", tiny_classifier, **options)(images, labels)
    wrapped = NormalizedClassifier(tiny_classifier).eval()
    theirs = torchattacks.PGD(wrapped, **options)(images, labels)
    assert torch.equal(ours, theirs)
    bare = torchattacks.PGD(tiny_classifier, **options)(images, labels)
    assert not torch.equal(ours, bare)


def test_conformance(tiny_classifier: nn.Module, images: Tensor) -> None:
    attack = create_attack("torchattacks/fgsm", tiny_classifier, eps=0.02)
    check_attack(attack, images, torch.arange(len(images)), norm=math.inf)


def test_modes_come_back_also_when_the_model_raises(
    tiny_classifier: nn.Module, images: Tensor
) -> None:
    tiny_classifier.train()
    tiny_classifier[1].eval()
    tiny_classifier[0].weight.requires_grad_(False)
    modes = [m.training for m in tiny_classifier.modules()]
    flags = [p.requires_grad for p in tiny_classifier.parameters()]
    attack = create_attack("torchattacks/pgd", tiny_classifier, steps=2)
    attack(images, torch.arange(4))
    assert modes == [m.training for m in tiny_classifier.modules()]
    handle = tiny_classifier[3].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        attack(images, torch.arange(4))
    handle.remove()
    assert modes == [m.training for m in tiny_classifier.modules()]
    assert flags == [p.requires_grad for p in tiny_classifier.parameters()]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: x * 2, "expected \\[0, 1\\]. Attacks take images before normalisation"),
        (lambda x: x.index_fill(3, torch.tensor(0), float("nan")), "NaN"),
        (lambda x: (x * 255).byte(), "\\.float\\(\\) / 255"),
        (lambda x: x[0, 0], "shape"),
        (lambda x: x[:, :1], "has 1 channels"),
        (lambda x: x[:0], "holds no image"),
    ],
)
def test_bad_inputs(
    tiny_classifier: nn.Module, images: Tensor, change: object, sentence: str
) -> None:
    attack = create_attack("torchattacks/pgd", tiny_classifier)
    with pytest.raises(InputError, match=sentence):
        attack(change(images), torch.arange(4))  # type: ignore[operator]


def test_labels_are_needed(tiny_classifier: nn.Module, images: Tensor) -> None:
    attack = create_attack("torchattacks/pgd", tiny_classifier)
    with pytest.raises(InputError, match="needs the labels"):
        attack(images)
    with pytest.raises(InputError, match="4 inputs and 3 targets"):
        attack(images, torch.arange(3))


def test_near_matches(tiny_classifier: nn.Module) -> None:
    with pytest.raises(UnknownNameError, match="'torchattacks/pgd'"):
        create_attack("torchattacks/pdg", tiny_classifier)
    with pytest.raises(InputError, match="Did you mean 'eps'"):
        create_attack("torchattacks/pgd", tiny_classifier, epz=0.1)


def test_attacks_may_hold_lists_of_tensors(tiny_classifier: nn.Module) -> None:
    attack = create_attack("torchattacks/pgd", tiny_classifier)
    attack.kept = [torch.rand(2), torch.rand(3)]  # torchattacks' own raises here
    assert len(attack.kept) == 2
