"""RDDCNN: DnCNN that begins with a deformable convolution (Zhang et al., 2022).

Q. Zhang, J. Xiao, C. Tian, J. C.-W. Lin, S. Zhang: A robust deformed convolutional neural network
(CNN) for image denoising, CAAI Transactions on Intelligence Technology 8 (2023),
https://doi.org/10.1049/cit2.12110.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from robust_restoration.images.checks import check_layout

from .blind_network import BlindNetwork

DEPTH = 17
DILATED = 13  # which convolution has dilation 2, counted from 1
TAPS = 9  # of a 3x3 kernel


class RDDCNN(BlindNetwork):
    """Seventeen convolutions that predict the noise, the first deformable, one dilated.

    The deformable block is a modulated deformable convolution (arXiv:1811.11168): each of the nine
    taps of its kernel is moved by, and weighed with, what two further convolutions say at each
    pixel; outside of the image all is 0. Then fifteen convolutions with batch norm (the enhanced
    block; the thirteenth of the seventeen is dilated), one last convolution, and the noise is
    taken off (the residual block). 0.56 M weights (table 5). Any image size of one pixel or more.
    It is never told the noise level: RDDCNN is trained for a single one, `rddcnn_b` for a range.

    Args:
        channels: Channels of the images.
        features: Channels between the convolutions.
        sigma_range: The lowest and highest level it is trained for.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        features: int = 64,
        sigma_range: Sequence[float] = (25 / 255, 25 / 255),
    ) -> None:
        super().__init__(channels=channels, features=features, sigma_range=sigma_range)
        layers: list[nn.Module] = [DeformableConvolution(channels, features), nn.ReLU(inplace=True)]
        for number in range(2, DEPTH):
            layers += [
                _convolution(features, features, dilation=2 if number == DILATED else 1),
                nn.BatchNorm2d(features, eps=1e-4, momentum=0.95),
                nn.ReLU(inplace=True),
            ]
        layers.append(_convolution(features, channels))
        self.net = nn.Sequential(*layers)

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W); ``sigma`` is not used.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        return noisy - self.net(noisy)


class DeformableConvolution(nn.Module):
    """A 3x3 convolution, same size, whose taps are moved and weighed at each pixel.

    ``shift`` predicts the moves: first those down the rows of all nine taps, then those along
    them, as the authors' weights have it. It works in float32 at least, whatever surrounds it: a
    place in an image that is rounded to bfloat16 is off by whole pixels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = _convolution(inputs, outputs)
        self.shift = _convolution(inputs, 2 * TAPS, bias=True)
        self.weight = _convolution(inputs, TAPS, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H, W)."""
        kind = torch.promote_types(images.dtype, torch.float32)
        with torch.autocast(images.device.type, enabled=False):
            wide = images.to(kind)
            shifts = _run(self.shift, wide)  # (N, 2 * TAPS, H, W)
            by_tap = shifts.unflatten(1, (2, TAPS)).transpose(1, 2).flatten(1, 2)
            by_tap = by_tap.nan_to_num()  # torchvision reads outside of its memory at NaN
            weights = _run(self.weight, wide).sigmoid()
            kernel = self.convolution.weight.to(kind)
            found: Tensor = deform_conv2d(wide, by_tap, kernel, padding=1, mask=weights)
        return found.to(images.dtype)


# RDDCNN-B, trained for levels up to 55/255.
rddcnn_b = functools.partial(RDDCNN, sigma_range=(0.0, 55 / 255))


def _run(layer: nn.Conv2d, images: Tensor) -> Tensor:
    """A 3x3 convolution with biases, in the images' type."""
    bias = None if layer.bias is None else layer.bias.to(images.dtype)
    return nn.functional.conv2d(images, layer.weight.to(images.dtype), bias, padding=1)


def _convolution(
    inputs: int, outputs: int, *, dilation: int = 1, bias: bool = False
) -> nn.Conv2d:
    """3x3, same size, begun orthogonal with zero biases as the released code is."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=bias)
    nn.init.orthogonal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
