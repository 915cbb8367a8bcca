"""Purifiers made of others: what they compute, declare, and keep in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from robust_restoration_testing import check_purifier
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError, UnknownNameError, WeightsError
from robust_restoration.models.weights import read_weights, save_weights


def test_a_chain_is_one_after_the_other(images: Tensor) -> None:
    # Not a median: rounding and taking it can change places.
    first, second = rr.create_purifier("bit_depth", bits=3), rr.create_purifier("gaussian_blur")
    chain = rr.Chain(first, second)
    assert torch.equal(chain(images), second(first(images)))
    assert torch.equal(rr.create_purifier("bit_depth+gaussian_blur")(images),
                       second(rr.create_purifier("bit_depth")(images)))
    check_purifier(rr.create_purifier("gaussian_blur+median"))
    check_purifier(rr.create_purifier("jpeg+bit_depth"))


def test_a_chain_is_what_its_members_are(images: Tensor) -> None:
    assert rr.create_purifier("median+gaussian_blur").differentiable is True
    assert rr.create_purifier("jpeg+bit_depth").differentiable is False
    assert rr.create_purifier("median+jpeg").random is False
    noisy = nn.Identity()
    noisy.random = True  # type: ignore[assignment]
    assert rr.Chain(rr.create_purifier("median"), noisy).random is True
    # Gradients pass straight through rounding to what comes before and after it.
    chain = rr.create_purifier("gaussian_blur+bit_depth")
    assert chain.differentiable is True
    images.requires_grad_()
    weights = torch.rand_like(images)
    (through,) = torch.autograd.grad((chain(images) * weights).sum(), images)
    blur = rr.create_purifier("gaussian_blur")
    (expected,) = torch.autograd.grad((blur(images) * weights).sum(), images)
    torch.testing.assert_close(through, expected)


def test_a_chain_is_saved_and_loaded(images: Tensor, tmp_path: Path) -> None:
    network = rr.create_purifier("denoiser:dncnn_test", features=4, channels=3)
    made = rr.Chain(rr.create_purifier("bit_depth", bits=4), network).eval()
    path = tmp_path / "mine.safetensors"
    save_weights(made, path, kind="purifiers", name="median", card={"channels": 3})
    _, metadata = read_weights(path)
    assert json.loads(metadata["build"]) == made.described()
    back = rr.create_purifier("median", weights=str(path))
    assert isinstance(back, rr.Chain)
    with torch.no_grad():
        assert torch.equal(back(images), made(images))
    save_weights(back, tmp_path / "again.safetensors", kind="purifiers", name="median")
    assert read_weights(tmp_path / "again.safetensors")[1]["build"] == metadata["build"]
    with pytest.raises(InputError, match="takes no options"):
        rr.create_purifier("median", weights=str(path), kernel_size=3)


def test_a_chain_by_name_takes_a_file_of_it_or_of_one_member(
    images: Tensor, tmp_path: Path
) -> None:
    chain = rr.create_purifier("bit_depth+filtering")
    whole, part = tmp_path / "whole.safetensors", tmp_path / "part.safetensors"
    save_weights(chain, whole, kind="purifiers", name="bit_depth+filtering")
    save_weights(chain.members[1], part, kind="purifiers", name="filtering")
    with torch.no_grad():
        expected = chain.eval()(images)
        for path in (whole, part):
            again = rr.create_purifier("bit_depth+filtering", weights=str(path))
            assert torch.equal(again(images), expected)
    with pytest.raises(WeightsError, match="no weights for 'bit_depth\\+median'"):
        rr.create_purifier("bit_depth+median", weights=str(part))


def test_bad_combinations() -> None:
    with pytest.raises(InputError, match="got nothing"):
        rr.Chain()
    with pytest.raises(InputError, match="got str"):
        rr.Chain("median")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="takes no options; got bits"):
        rr.create_purifier("bit_depth+median", bits=3)
    with pytest.raises(UnknownNameError, match="Did you mean 'median'"):
        rr.create_purifier("bit_depth+meidan")
    with pytest.raises(InputError, match="was not created by name"):
        save_weights(
            rr.Chain(nn.Identity()), Path("x.safetensors"), kind="purifiers", name="median"
        )
