"""ECNDNet: how far its dilated convolutions see, and how it begins."""

from __future__ import annotations

import math

import pytest
import torch
from robust_restoration_denoisers.ecndnet import ECNDNet
from torch import nn


def test_has_as_many_weights_as_published():
    assert round(sum(p.numel() for p in ECNDNet().parameters()) / 1e6, 2) == 0.52


def test_a_pixel_sees_21_pixels_far():
    # 17 convolutions, of which 2, 5, 9 and 12 see twice as far
    model = ECNDNet(features=2).double().eval()
    dilations = [c.dilation[0] for c in convolutions(model)]
    assert [i for i, d in enumerate(dilations, 1) if d == 2] == [2, 5, 9, 12]
    for parameter in model.parameters():
        parameter.data.abs_()  # all ReLUs open
    noisy = torch.rand(1, 1, 61, 61, dtype=torch.float64, requires_grad=True)
    model(noisy)[0, 0, 30, 30].backward()
    reached = noisy.grad[0, 0].nonzero()
    assert reached.min() == 30 - 21
    assert reached.max() == 30 + 21


def test_begins_as_the_released_code_does():
    model = ECNDNet()
    std = math.sqrt(2 / (9 * 64))
    for convolution in convolutions(model)[1:15]:
        assert float(convolution.weight.detach().std()) == pytest.approx(std, rel=0.02)
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    weights = torch.cat([norm.weight.detach() for norm in norms])
    assert float(weights.abs().min()) >= 0.025 - 1e-7
    assert 0.4 < float((weights < 0).float().mean()) < 0.6
    assert all((norm.running_var == 0.01).all() for norm in norms)


def convolutions(model):
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
