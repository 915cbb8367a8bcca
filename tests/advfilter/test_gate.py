"""The gate: what it looks at, and what it lets through."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.gate import CLOSED, SOFT, Gate, fine_grain
from safetensors.torch import save_file
from torch import Tensor, nn

from robust_restoration import create_purifier
from robust_restoration.errors import WeightsError
from robust_restoration.models.weights import read_weights, save_weights
from robust_restoration.testing import check_purifier

NAMES = ["additive", "filtering", "multi_head", "advfilter"]


def decided(name: str, logit: float, **options: object) -> nn.Module:
    """A purifier whose gate says the same of every image."""
    model = create_purifier(name, width=0.05, gate=True, **options).eval()
    nn.init.zeros_(model.gate.last.weight)
    nn.init.constant_(model.gate.last.bias, logit)
    return model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_conformance(name: str, channels: int) -> None:
    check_purifier(create_purifier(name, width=0.05, channels=channels, gate=True).eval())


@pytest.mark.parametrize("channels", [1, 3])
def test_grain_is_two_filters_of_mean_and_difference(channels: int) -> None:
    images = torch.rand(2, channels, 9, 8, dtype=torch.float64)
    line, smooth = torch.tensor([1.0, -2, 1]).double(), torch.tensor([1.0, 2, 1]).double() / 4
    second = torch.outer(line, line) / 6
    rest = -torch.outer(smooth, smooth)
    rest[1, 1] += 1
    parts = [images]
    if channels == 3:
        mean = images.mean(1, keepdim=True)
        parts = [mean, images - mean]
    maps = torch.cat(parts, dim=1)
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    found = [
        F.conv2d(padded, kernel.expand(maps.shape[1], 1, 3, 3), groups=maps.shape[1])
        for kernel in (second, rest)
    ]
    expected = 255 * torch.cat(found, dim=1)
    expected = SOFT * expected / (SOFT + expected.abs())
    torch.testing.assert_close(fine_grain(images), expected)


def test_grain_is_not_lost_in_autocast() -> None:
    images = 0.7 + torch.randint(2, (1, 3, 16, 16)) / 255
    with torch.autocast("cpu", torch.bfloat16):
        found = fine_grain(images)
    assert torch.equal(found, fine_grain(images))
    assert found.dtype == torch.float32


@pytest.mark.parametrize("size", [(17, 23), (5, 7), (1, 1)])
def test_any_image_size(size: tuple[int, int]) -> None:
    share = Gate(3).eval().share(torch.rand(2, 3, *size))
    assert share.shape == (2, 1, 1, 1)
    assert 0 <= float(share.min()) <= float(share.max()) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_gate_leaves_images_alone(name: str) -> None:
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(decided(name, -100)(images), images, atol=0, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_an_open_gate_is_the_purifier_without(name: str) -> None:
    model, images = decided(name, 100), torch.rand(2, 3, 16, 16)
    plain = create_purifier(name, width=0.05).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(model(images), plain(images))


def test_an_untrained_gate_is_open(photographs: Tensor) -> None:
    assert float(Gate(3).eval().share(photographs).min()) > 0.99


def test_a_closed_gate_still_rounds() -> None:
    images = torch.rand(1, 3, 16, 16)
    found = decided("filtering", -100, input_bits=8)(images)
    torch.testing.assert_close(found, (images * 255).round() / 255)


def test_a_closed_gate_loses_nothing_in_autocast() -> None:
    images = torch.randint(256, (1, 3, 16, 16)) / 255
    with torch.autocast("cpu", torch.bfloat16):
        found = decided("advfilter", -100)(images)
    torch.testing.assert_close(found, images, atol=0, rtol=0)


def test_weights_of_one_without_a_gate_do(tmp_path: Path) -> None:
    plain = create_purifier("filtering", width=0.05).eval()
    path = tmp_path / "filtering.safetensors"
    save_weights(plain, path, kind="purifiers", name="filtering")
    gated = create_purifier("filtering", weights=str(path), gate=True)
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(gated.outputs(images)["out"], plain.outputs(images)["out"])


def test_half_a_gate_is_refused(tmp_path: Path) -> None:
    model = create_purifier("filtering", width=0.05, gate=True)
    path = tmp_path / "filtering.safetensors"
    save_weights(model, path, kind="purifiers", name="filtering")
    tensors, metadata = read_weights(path)
    del tensors["gate.last.bias"]
    save_file(tensors, path, metadata)
    with pytest.raises(WeightsError, match=r"1 tensors are missing, such as gate\.last\.bias"):
        create_purifier("filtering", weights=str(path))


def test_a_gate_can_be_left_out(tmp_path: Path) -> None:
    model = decided("filtering", -100)
    path = tmp_path / "filtering.safetensors"
    save_weights(model, path, kind="purifiers", name="filtering")
    images = torch.rand(2, 3, 16, 16)
    plain = create_purifier("filtering", weights=str(path), gate=False)
    torch.testing.assert_close(plain(images), model.outputs(images)["out"].clamp(0, 1))


def test_each_image_has_its_own_decision(photographs: Tensor) -> None:
    model = create_purifier("filtering", width=0.05, gate=True).eval()
    shares = model.gate.share(photographs)
    for one, share in zip(photographs, shares, strict=True):
        torch.testing.assert_close(model.gate.share(one[None])[0], share, rtol=1e-4, atol=1e-6)


def test_images_that_stay_are_spared_the_filters(photographs: Tensor) -> None:
    """With gradients all images are filtered and mixed; without, those that do not pass are not."""
    model = create_purifier("filtering", width=0.05, gate=True).eval()
    logits = model.gate(photographs).detach()
    nn.init.constant_(model.gate.last.bias, 2 - float(logits.mean()))  # some pass, some do not
    model.gate.last.weight.data *= 1e5
    model.gate.last.bias.data *= 1e5
    shares = model.gate.share(photographs).flatten()
    seen: list[int] = []
    model.net.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    with torch.no_grad():
        spared = model(photographs)
    passing = int((shares > CLOSED).sum())
    assert 0 < passing < len(photographs)
    assert seen == [passing]
    whole = model(photographs)
    assert seen[1:] == [len(photographs)]
    torch.testing.assert_close(spared, whole.detach(), atol=2e-4, rtol=0)


def test_gradients_pass_through_the_gate() -> None:
    """A white-box attacker shall be able to attack the decision too."""
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    gate = Gate(3).eval()
    (found,) = torch.autograd.grad(gate(image).sum(), image)
    assert float(found.abs().max()) > 0
