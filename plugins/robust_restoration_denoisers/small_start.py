"""The layers that ECNDNet and ADNet begin with, as released: small weights, none of them near 0."""

from __future__ import annotations

import math

import torch
from torch import nn

STD = math.sqrt(2 / (9 * 64))
DEPTH = 15  # convolutions with batch norm
DILATED = (2, 5, 9, 12)  # which of them have dilation 2, counted from 1: ADNet's "sparse block"
LEAST = 0.025  # least size of a batch-norm weight at the beginning


def small_convolution(
    inputs: int, outputs: int, size: int = 3, *, dilation: int = 1, bias: bool = False
) -> nn.Conv2d:
    """``size`` x ``size``, same size of image, begun with N(0, 2/(9*64)); zero biases."""
    padding = dilation * (size // 2)
    layer = nn.Conv2d(inputs, outputs, size, padding=padding, dilation=dilation, bias=bias)
    nn.init.normal_(layer.weight, std=STD)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def small_batch_norm(features: int) -> nn.BatchNorm2d:
    """Batch norm begun with N(0, 2/(9*64)) kept 0.025 away from 0, and variance 0.01."""
    norm = nn.BatchNorm2d(features)
    nn.init.normal_(norm.weight, std=STD)
    weight = norm.weight.data
    weight.copy_(torch.where(weight < 0, -1.0, 1.0) * weight.abs().clamp(min=LEAST))
    norm.running_var.fill_(0.01)  # type: ignore[union-attr]
    return norm


def small_dilated_layers(channels: int, features: int) -> list[nn.Module]:
    """ECNDNet's and ADNet's fifteen convolutions with batch norm and ReLU, four of them dilated."""
    layers: list[nn.Module] = []
    for number in range(1, DEPTH + 1):
        inputs = channels if number == 1 else features
        dilation = 2 if number in DILATED else 1
        layers += [
            small_convolution(inputs, features, dilation=dilation),
            small_batch_norm(features),
            nn.ReLU(inplace=True),
        ]
    return layers
