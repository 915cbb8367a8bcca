"""DnCNN against what the papers say of its layers and initialisation."""

from __future__ import annotations

import math

import pytest
import torch
from robust_restoration_denoisers.dncnn import DnCNN, dncnn_b, dncnn_c, dncnn_test
from torch import nn


def layers(model, kind):
    return [layer for layer in model.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize(("make", "channels"), [(dncnn_b, 1), (dncnn_c, 3)])
def test_blind_form(make, channels):
    model = make()
    convolutions, norms = layers(model, nn.Conv2d), layers(model, nn.BatchNorm2d)
    assert (len(convolutions), len(norms)) == (20, 18)
    assert all(c.bias is None and c.kernel_size == (3, 3) for c in convolutions)
    assert [c.out_channels for c in convolutions] == [64] * 19 + [channels]
    assert model.channels == channels
    assert model.blind


def test_non_blind_form():
    model = DnCNN()
    convolutions = layers(model, nn.Conv2d)
    assert len(convolutions) == 17
    assert all(c.bias is not None and not c.bias.any() for c in convolutions)
    assert len(layers(model, nn.BatchNorm2d)) == 15
    assert not layers(DnCNN(batch_norm=False), nn.BatchNorm2d)
    assert model.sigma_range == (25 / 255, 25 / 255)


def test_initialisation():
    model = dncnn_b()
    for convolution in layers(model, nn.Conv2d)[1:]:
        weight = convolution.weight.detach()
        expected = math.sqrt(2 / (9 * convolution.in_channels))
        few = 3 / math.sqrt(2 * weight.numel())  # three standard errors of a standard deviation
        assert float(weight.std()) == pytest.approx(expected, rel=max(few, 0.02))
        assert abs(float(weight.mean())) < 5 * expected / math.sqrt(weight.numel())
    norms = torch.cat([norm.weight.detach() for norm in layers(model, nn.BatchNorm2d)])
    assert float(norms.abs().max()) == pytest.approx(0.025)
    # of N(0, sqrt(2/9/64)), the share beyond 0.025, which is clamped to it
    clamped = math.erfc(0.025 / math.sqrt(2 / 9 / 64) / math.sqrt(2))
    share = float((norms.abs() >= 0.025 - 1e-7).float().mean())
    assert share == pytest.approx(clamped, abs=4 * math.sqrt(0.25 / len(norms)))
    assert not any(norm.bias.any() for norm in layers(model, nn.BatchNorm2d))


def test_the_network_predicts_what_is_taken_away():
    model = dncnn_test().eval()
    noisy = torch.rand(2, 1, 9, 9)
    with torch.no_grad():
        assert torch.equal(model(noisy), noisy - model.net(noisy))
        model.net[-1].weight.zero_()
        assert torch.equal(model(noisy), noisy)


def test_without_biases_the_output_scales_with_the_input():
    # batch norm has biases of 0 and means of 0 at the beginning
    model = dncnn_b(depth=4, features=8).double().eval()
    noisy = torch.rand(1, 1, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(model(3 * noisy), 3 * model(noisy))


@pytest.mark.parametrize("depth", [2, 5])
def test_a_pixel_sees_as_far_as_there_are_layers(depth):
    model = DnCNN(depth=depth, features=4).double().eval()
    for parameter in model.parameters():
        parameter.data.abs_()  # all ReLUs open
    noisy = torch.rand(1, 1, 21, 21, dtype=torch.float64, requires_grad=True)
    model(noisy)[0, 0, 10, 10].backward()
    reached = noisy.grad[0, 0].nonzero()
    assert reached.min() == 10 - depth
    assert reached.max() == 10 + depth
