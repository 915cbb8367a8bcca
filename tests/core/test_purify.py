"""purify() and PurifiedClassifier: what users call first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError, UnknownNameError, WeightsError
from robust_restoration.models.shipped import WeightsWarning
from robust_restoration.models.weights import save_weights


class _Pairs(nn.Module):
    """A purifier whose first convolution sees other channels than the image has."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(6, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return images + 0 * self.mix(torch.cat([images, images], dim=1))


class _Dim(nn.Module):
    """A purifier that is easy to follow."""

    def forward(self, images: Tensor) -> Tensor:
        return images * 0.9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_images_like_x(tiny_classifier: nn.Module, images: Tensor, dtype: torch.dtype) -> None:
    x = images.to(dtype)
    out = rr.purify(tiny_classifier.to(dtype), x, purifier="median")
    assert (out.shape, out.dtype, out.device) == (x.shape, x.dtype, x.device)
    assert not out.requires_grad
    assert 0 <= float(out.min()) <= float(out.max()) <= 1
    assert torch.equal(rr.purify(tiny_classifier, x[0], purifier="median"), out[0])


def test_batches_are_cut_up_without_a_difference(
    tiny_classifier: nn.Module, images: Tensor
) -> None:
    whole = rr.purify(tiny_classifier, images, purifier="gaussian_blur")
    cut = rr.purify(tiny_classifier, images, purifier="gaussian_blur", batch_size=3)
    assert torch.equal(whole, cut)


def test_normalized_inputs(tiny_classifier: nn.Module, images: Tensor) -> None:
    wrapped = rr.NormalizedClassifier(tiny_classifier)
    out = rr.purify(
        tiny_classifier, wrapped.normalize(images), purifier=_Dim(), normalized=True
    )
    torch.testing.assert_close(out, wrapped.normalize(images * 0.9))
    black_and_white = images.round()  # the borders survive the round trip
    rr.purify(
        tiny_classifier, wrapped.normalize(black_and_white), purifier=_Dim(), normalized=True
    )


def test_purified_classifier_is_a_drop_in(tiny_classifier: nn.Module, images: Tensor) -> None:
    wrapped = rr.NormalizedClassifier(tiny_classifier)
    expected = wrapped(images * 0.9)
    plain = rr.PurifiedClassifier(tiny_classifier, _Dim())
    torch.testing.assert_close(plain(images), expected)
    normalized = rr.PurifiedClassifier(tiny_classifier, _Dim(), normalized=True)
    torch.testing.assert_close(normalized(wrapped.normalize(images)), expected)
    images.requires_grad_()
    plain(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_a_purifier_may_see_other_channels(tiny_classifier: nn.Module, images: Tensor) -> None:
    pure = rr.PurifiedClassifier(tiny_classifier, _Pairs()).eval()
    labels = torch.zeros(len(images), dtype=torch.long)
    attacked = rr.create_attack("torchattacks/pgd", pure, eps=0.01, steps=1)(images, labels)
    torch.testing.assert_close(rr.purify(pure, attacked, purifier=_Pairs()), attacked)


def test_attacks_go_through_it(tiny_classifier: nn.Module, images: Tensor) -> None:
    robust = rr.PurifiedClassifier(tiny_classifier, "gaussian_blur")
    labels = robust(images).argmax(dim=1)
    attack = rr.create_attack("torchattacks/pgd", robust, eps=0.2, alpha=0.05, steps=10)
    attacked = attack(images, labels)
    loss = nn.functional.cross_entropy
    assert loss(robust(attacked), labels) > loss(robust(images), labels)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: x * 3 - 1, "pass normalized=True"),
        (lambda x: x.index_fill(3, torch.tensor(0), float("nan")), "NaN"),
        (lambda x: (x * 255).byte(), r"x\.float\(\) / 255"),
        (lambda x: x[0, 0], r"x\[None, None\]"),
        (lambda x: x[:0], "holds no image"),
        (lambda x: x[:, :1], r"1 channels.*expand\(-1, 3"),
        (lambda x: x.to("meta"), "on meta and the classifier on cpu"),
    ],
)
def test_bad_x(tiny_classifier: nn.Module, images: Tensor, change: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        rr.purify(tiny_classifier, change(images), purifier="median")  # type: ignore[operator]


def test_normalized_needs_a_mean(images: Tensor) -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    with pytest.raises(InputError, match="no pretrained_cfg"):
        rr.purify(plain, images, purifier="median", normalized=True)


def test_wrongly_normalized(tiny_classifier: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match="was it normalised so"):
        rr.purify(tiny_classifier, images * 9, purifier="median", normalized=True)


def test_unknown_purifier(tiny_classifier: nn.Module, images: Tensor) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'median'"):
        rr.purify(tiny_classifier, images, purifier="meidan")


def test_own_weights_decide(tiny_classifier: nn.Module, images: Tensor, tmp_path: Path) -> None:
    trained = rr.create_purifier("filtering", width=0.05, kernel_size=3).eval()
    path = tmp_path / "mine.safetensors"
    save_weights(trained, path, kind="purifiers", name="filtering", card={"input_size": 32})
    out = rr.purify(tiny_classifier, images, purifier="filtering", weights=str(path))
    with torch.no_grad():
        assert torch.equal(out, trained(images))
    with pytest.raises(WeightsError, match="holds weights for 'filtering', not for 'advfilter'"):
        rr.purify(tiny_classifier, images, purifier="advfilter", weights=str(path))


def test_general_weights_are_taken_without_a_warning(
    tiny_classifier: nn.Module, images: Tensor, recwarn: pytest.WarningsRecorder
) -> None:
    tiny_classifier.pretrained_cfg["input_size"] = (3, 224, 224)  # type: ignore[index]
    expected = rr.create_purifier("advfilter", weights="general")
    found = rr.PurifiedClassifier(tiny_classifier).purifier
    assert not [w for w in recwarn if issubclass(w.category, WeightsWarning)]
    assert torch.equal(next(found.parameters()), next(expected.parameters()))
    assert rr.purify(tiny_classifier, images).shape == images.shape


def test_a_purifier_without_weights_says_how_to_train_it(
    tiny_classifier: nn.Module, images: Tensor
) -> None:
    with pytest.raises(WeightsError, match="train advfilter --purifier multi_head --classifier"):
        rr.purify(tiny_classifier, images, purifier="multi_head")


def test_under_autocast(tiny_classifier: nn.Module, images: Tensor) -> None:
    purifier = rr.create_purifier("advfilter", width=0.05)
    exact = rr.purify(tiny_classifier, images, purifier=purifier)
    with torch.autocast("cpu", torch.bfloat16):
        rough = rr.purify(tiny_classifier, images, purifier=purifier)
    assert rough.dtype == images.dtype
    assert (rough - exact).abs().max() < 0.05


def test_images_in_double_precision(tiny_classifier: nn.Module, images: Tensor) -> None:
    for purifier in ("median", rr.create_purifier("filtering", width=0.05).eval()):
        out = rr.purify(tiny_classifier, images.double(), purifier=purifier)
        assert out.dtype == torch.float64
        torch.testing.assert_close(
            out.float(), rr.purify(tiny_classifier, images, purifier=purifier)
        )
        robust = rr.PurifiedClassifier(tiny_classifier, purifier)
        torch.testing.assert_close(robust(images.double()), robust(images))


def test_a_purifier_that_gives_nan_is_named(tiny_classifier: nn.Module, images: Tensor) -> None:
    class Bad(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(torch.arange(len(x)).view(-1, 1, 1, 1) == 1, torch.nan, x)

    with pytest.raises(InputError, match="Bad gives NaN or infinite values in 1 of 4 images"):
        rr.purify(tiny_classifier, images, purifier=Bad())


@pytest.mark.parametrize("size", [0, -1, 2.5, None])
def test_bad_batch_size(tiny_classifier: nn.Module, images: Tensor, size: Any) -> None:
    with pytest.raises(InputError, match="batch_size is"):
        rr.purify(tiny_classifier, images, purifier="median", batch_size=size)


def test_a_purifier_is_a_name_or_a_module(tiny_classifier: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match="purifier is an int; expected a name"):
        rr.purify(tiny_classifier, images, purifier=5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="weights go with a purifier's name"):
        rr.purify(tiny_classifier, images, purifier=_Dim(), weights="x")


def test_networks_whose_train_gives_nothing_back(
    tiny_classifier: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(module: nn.Module, mode: bool = True) -> None:
        was(module, mode)

    was = nn.Sequential.train
    monkeypatch.setattr(nn.Sequential, "train", train)
    purifier = nn.Sequential(nn.AvgPool2d(3, 1, 1))
    assert rr.PurifiedClassifier(tiny_classifier, purifier)(images).shape == (4, 10)
    assert rr.purify(tiny_classifier, images, purifier=purifier).shape == images.shape
