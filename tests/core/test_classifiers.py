"""Classifiers: their normalisation, their names, and what fits them."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration import NormalizedClassifier
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import (
    NormalizationWarning,
    check_classifier,
    classifier_name,
    normalization,
    with_unit_range,
)


def test_normalisation_is_read(tiny_classifier: nn.Module, images: Tensor) -> None:
    wrapped = NormalizedClassifier(tiny_classifier)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    torch.testing.assert_close(wrapped(images), tiny_classifier((images - mean) / std))
    torch.testing.assert_close(wrapped.denormalize(wrapped.normalize(images)), images)
    assert wrapped.state_dict().keys() == {f"classifier.{k}" for k in tiny_classifier.state_dict()}
    assert with_unit_range(wrapped) is wrapped


def test_never_guessed(images: Tensor) -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    assert normalization(plain) is None
    assert with_unit_range(plain) is plain
    torch.testing.assert_close(NormalizedClassifier(plain)(images), plain(images))
    given = NormalizedClassifier(plain, mean=(0.5,), std=(0.25,))
    torch.testing.assert_close(given(images), plain((images - 0.5) / 0.25))
    with pytest.raises(InputError, match="mean and std go together"):
        NormalizedClassifier(plain, mean=(0.5,))


def test_gray_classifiers_get_the_mean_of_timms_three() -> None:
    gray = timm.create_model("test_resnet", in_chans=1)
    mean, std = normalization(gray) or ((), ())
    assert len(mean) == len(std) == 1
    assert NormalizedClassifier(gray).eval()(torch.rand(1, 1, 32, 32)).shape == (1, 1000)


def test_names(tiny_classifier: nn.Module) -> None:
    assert classifier_name(tiny_classifier) == "tiny_classifier"
    assert classifier_name(NormalizedClassifier(tiny_classifier)) == "tiny_classifier"
    assert classifier_name(timm.create_model("resnet18.a1_in1k")) == "resnet18.a1_in1k"
    assert classifier_name(nn.Linear(1, 1)) == "linear"


def test_images_must_fit(tiny_classifier: nn.Module, images: Tensor) -> None:
    check_classifier(tiny_classifier, images)
    with pytest.raises(InputError, match=r"expected 3: x\.expand"):
        check_classifier(tiny_classifier, images[:, :1])
    with pytest.raises(InputError, match="on meta and the classifier on cpu"):
        check_classifier(tiny_classifier, images.to("meta"))


def test_a_wrapper_for_several_devices_hides_nothing(tiny_classifier: nn.Module) -> None:
    wrapped = nn.DataParallel(tiny_classifier)
    assert normalization(wrapped) == normalization(tiny_classifier)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = with_unit_range(tiny_classifier)(images)
        assert torch.equal(with_unit_range(wrapped)(images), expected)
    unit = nn.DataParallel(with_unit_range(tiny_classifier))
    assert with_unit_range(unit) is unit


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        ("resnet18", r"is a str; expected a torch module: .*load_classifier\('resnet18'\)"),
        (None, "is a NoneType; expected a torch module"),
        (nn.Identity, r"is a class; expected a torch module: Identity\(\)"),
        (torch.zeros(1, 3, 8, 8), "the classifier comes first"),
        (lambda x: x, "is a function; expected a torch module"),
    ],
)
def test_what_is_not_a_module_is_told_in_a_sentence(thing: Any, sentence: str) -> None:
    x = torch.rand(1, 3, 8, 8)
    for call in (
        lambda: rr.purify(thing, x, purifier="median"),
        lambda: rr.PurifiedClassifier(thing, "median"),
        lambda: NormalizedClassifier(thing),
        lambda: with_unit_range(thing),
        lambda: check_classifier(thing, x),
    ):
        with pytest.raises(InputError, match=sentence):
            call()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ([1, 2], "pretrained_cfg is a list; expected a dict"),
        ({"mean": "0.5", "std": (0.5,)}, "mean='0.5'"),
        ({"mean": (0.5,), "std": (0.0,)}, "std=.*numbers above 0"),
        ({"mean": (float("nan"),), "std": (0.5,)}, "mean=.*finite"),
        ({"mean": (0.5, 0.5), "std": (0.5, 0.5)}, "one number a channel each, 3"),
        ({"input_size": (3, "big", 224)}, "input_size="),
    ],
)
def test_a_wrong_pretrained_cfg_is_told_in_a_sentence(
    tiny_classifier: nn.Module, config: Any, sentence: str, images: Tensor
) -> None:
    tiny_classifier.pretrained_cfg = config
    with pytest.raises(InputError, match=sentence):
        rr.purify(tiny_classifier, images, purifier="median")


def test_torchvisions_classifiers_are_taken_with_a_warning(tiny_classifier: nn.Module) -> None:
    from torchvision.models import mobilenet_v3_small

    model = mobilenet_v3_small(num_classes=3).eval()
    for wrap in (NormalizedClassifier, with_unit_range):
        with pytest.warns(NormalizationWarning, match=r"taken as they are.*mean=\(0\.485"):
            wrap(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NormalizedClassifier(model, mean=(0.5,), std=(0.5,))
        NormalizedClassifier(tiny_classifier)
        with_unit_range(nn.Flatten())
