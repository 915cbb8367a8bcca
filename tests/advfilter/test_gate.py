"""The gate: what it looks at, and what it lets through."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.gate import SOFT, Gate, fine_grain
from torch import Tensor, nn

from robust_restoration import create_purifier
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
    wanted = 255 * torch.cat(found, dim=1)
    wanted = SOFT * wanted / (SOFT + wanted.abs())
    torch.testing.assert_close(fine_grain(images), wanted)


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


def test_a_closed_gate_still_rounds() -> None:
    images = torch.rand(1, 3, 16, 16)
    found = decided("filtering", -100, input_bits=8)(images)
    torch.testing.assert_close(found, (images * 255).round() / 255)


def test_a_closed_gate_loses_nothing_in_autocast() -> None:
    images = torch.randint(256, (1, 3, 16, 16)) / 255
    with torch.autocast("cpu", torch.bfloat16):
        found = decided("advfilter", -100)(images)
    torch.testing.assert_close(found, images, atol=0, rtol=0)


def test_each_image_has_its_own_decision(photographs: Tensor) -> None:
    model = create_purifier("filtering", width=0.05, gate=True).eval()
    shares = model.gate.share(photographs)
    for one, share in zip(photographs, shares, strict=True):
        torch.testing.assert_close(model.gate.share(one[None])[0], share, rtol=1e-4, atol=1e-6)


def test_gradients_pass_through_the_gate() -> None:
    """A white-box attacker shall be able to attack the decision too."""
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    gate = Gate(3).eval()
    (found,) = torch.autograd.grad(gate(image).sum(), image)
    assert float(found.abs().max()) > 0
