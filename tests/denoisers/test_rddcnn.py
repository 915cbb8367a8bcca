"""RDDCNN: its size, and what its deformable convolution computes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_denoisers.rddcnn import RDDCNN, DeformableConvolution
from torch import nn


def test_has_as_many_weights_as_published():
    assert round(sum(p.numel() for p in RDDCNN().parameters()) / 1e6, 2) == 0.56


def test_one_convolution_is_dilated():
    layers = [m for m in RDDCNN().net if isinstance(m, nn.Conv2d | DeformableConvolution)]
    assert len(layers) == 17
    dilated = [i for i, m in enumerate(layers, 1) if getattr(m, "dilation", (1,))[0] == 2]
    assert dilated == [13]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (0, 1), (-2, 1), (0.5, 0), (0, 0.25)])
def test_moves_and_weighs_its_taps(down, right):
    layer = still(down, right).double()
    images = torch.rand(2, 2, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        expected = 0.25 * F.conv2d(
            (1 - down % 1) * (1 - right % 1) * moved(images, down // 1, right // 1)
            + (down % 1) * moved(images, down // 1 + 1, right // 1)
            + (right % 1) * moved(images, down // 1, right // 1 + 1),
            layer.convolution.weight,
            padding=1,
        )
        found = layer(images)
    inside = (..., slice(4, -4), slice(4, -4))
    assert torch.allclose(found[inside], expected[inside])


def test_each_tap_moves_by_itself():
    layer = still(0, 0).double()
    with torch.no_grad():
        layer.shift.bias[9 + 3] = 1.0  # the tap left of the middle moves one pixel to the right,
        layer.convolution.weight.zero_()
        layer.convolution.weight[0, 0, 1, 0] = 4.0
    images = torch.rand(1, 2, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(layer(images)[0, 0], images[0, 0])  # and so on to the middle itself


def test_is_zero_outside_of_the_image_and_keeps_float32_inside():
    layer = still(0, 0)
    images = torch.ones(1, 2, 6, 6)
    with torch.no_grad():
        plain = 0.25 * F.conv2d(images, layer.convolution.weight, padding=1)
        assert torch.allclose(layer(images), plain, atol=1e-6)
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(images).dtype == torch.float32
        assert layer.bfloat16()(images.bfloat16()).dtype == torch.bfloat16


def still(down, right):
    """A deformable convolution whose taps all move alike and weigh 1/4."""
    layer = DeformableConvolution(2, 3)
    for part in (layer.shift, layer.weight):
        nn.init.zeros_(part.weight)
    with torch.no_grad():
        layer.shift.bias[:9] = down
        layer.shift.bias[9:] = right
        layer.weight.bias.fill_(-torch.log(torch.tensor(3.0)))
    return layer


def moved(images, down, right):
    """What stands ``down`` and ``right`` of each pixel."""
    return images.roll((-int(down), -int(right)), dims=(-2, -1))


def test_nan_in_an_image_is_nan_in_what_comes_of_it():
    images = torch.rand(1, 1, 96, 96)
    images[..., 40, 40] = float("nan")
    with torch.no_grad():
        restored = RDDCNN(features=8).eval()(images)
    assert restored[..., 40, 40].isnan().all()
    assert restored[..., 0, 0].isfinite().all()
