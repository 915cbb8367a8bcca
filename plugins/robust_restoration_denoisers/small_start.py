"""How the released code of ECNDNet and of ADNet begins: small weights, none of them near 0."""

from __future__ import annotations

import math

import torch
from torch import nn

STD = math.sqrt(2 / (9 * 64))
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
