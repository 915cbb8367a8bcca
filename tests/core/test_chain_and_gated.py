"""Purifiers made of others: what they compute, declare, and keep in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from robust_restoration_testing import check_purifier
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError, UnknownNameError, WeightsError
from robust_restoration.models.weights import read_weights, save_weights

GATES = """
import torch
from torch import nn
from robust_restoration import Entry, hookimpl

@hookimpl
def gates():
    return [Entry("zz_gate", "zz_gates:Bright", "opens for bright images")]

class Bright(nn.Module):
    def __init__(self, *, level=0.5):
        super().__init__()
        self.options = {"level": level}
        self.scale = nn.Parameter(torch.tensor(100.0))

    def forward(self, images):
        return self.scale * (images.mean(dim=(1, 2, 3)) - self.options["level"])
"""


class _Bright(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return 100 * (images.mean(dim=(1, 2, 3)) - 0.5)


class _Counting(nn.Module):
    seen = 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return images * 0.9


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


def test_a_gate_leaves_the_others_as_they_are(images: Tensor) -> None:
    dark, bright = images * 0.2, images * 0.2 + 0.7
    batch = torch.cat([dark, bright])
    purifier = _Counting()
    gated = rr.Gated(_Bright(), purifier)
    with torch.no_grad():
        out = gated(batch)
    assert torch.equal(out[: len(dark)], dark)
    torch.testing.assert_close(out[len(dark) :], bright * 0.9)
    assert purifier.seen == len(bright)
    torch.testing.assert_close(gated(batch), out)  # with gradients
    check_purifier(rr.Gated(_Bright(), rr.create_purifier("gaussian_blur")))


def test_they_are_saved_and_loaded(
    images: Tensor, tmp_path: Path, fake_plugin: Callable[..., Path]
) -> None:
    fake_plugin("zz_gates", GATES)
    gate = rr.create_gate("zz_gate", level=0.4)
    network = rr.create_purifier("denoiser:dncnn_test", features=4, channels=3)
    made = rr.Chain(rr.create_purifier("bit_depth", bits=4), rr.Gated(gate, network)).eval()
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
    with pytest.raises(InputError, match="expected a gate and a purifier"):
        rr.Gated(_Bright(), "median")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="steepness is 0"):
        rr.Gated(_Bright(), nn.Identity(), steepness=0)
    with pytest.raises(InputError, match="takes no options; got bits"):
        rr.create_purifier("bit_depth+median", bits=3)
    with pytest.raises(UnknownNameError, match="Did you mean 'median'"):
        rr.create_purifier("bit_depth+meidan")
    with pytest.raises(InputError, match="was not created by name"):
        save_weights(
            rr.Chain(nn.Identity()), Path("x.safetensors"), kind="purifiers", name="median"
        )
