"""ADNet: its size, its dilations, and what its attention does."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_denoisers.adnet import ADNet
from torch import nn


def test_has_as_many_weights_as_published():
    assert round(sum(p.numel() for p in ADNet().parameters()) / 1e6, 2) == 0.52


def test_four_convolutions_of_the_sparse_block_are_dilated():
    dilations = [c.dilation[0] for c in ADNet().net if isinstance(c, nn.Conv2d)]
    assert len(dilations) == 16
    assert [i for i, d in enumerate(dilations, 1) if d == 2] == [2, 5, 9, 12]


@pytest.mark.parametrize("channels", [1, 3])
def test_attention_weighs_the_noise_and_sees_image_and_noise(channels):
    torch.manual_seed(0)
    model = ADNet(channels=channels, features=4).double().eval()
    noisy = torch.rand(1, channels, 9, 9, dtype=torch.float64)
    noise = model.net(noisy)
    nn.init.zeros_(model.attention.weight)
    nn.init.ones_(model.attention.bias)
    assert torch.allclose(model(noisy), noisy - noise)
    with torch.no_grad():
        model.attention.bias.zero_()
        for c in range(channels):  # the weight is tanh of the image
            model.attention.weight[c, c] = 1
    assert torch.allclose(model(noisy), noisy - noisy.tanh() * noise)
    with torch.no_grad():
        model.attention.weight.zero_()
        for c in range(channels):  # the weight is tanh of the noise
            model.attention.weight[c, channels + c] = 1
    assert torch.allclose(model(noisy), noisy - noise.tanh() * noise)
