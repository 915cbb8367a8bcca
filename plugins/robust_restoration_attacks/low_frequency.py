"""Perturbations of low spatial frequencies alone, by adaptive steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.numbers import check_fraction

from .large import strips
from .obsatk_auto import ObsAtkAuto
from .projections import lengths


class LowFrequency(ObsAtkAuto):
    """`ObsAtkAuto` whose steps go along the gradient's low frequencies.

    Denoisers take away what is rough, so that attacks on them are rough by nature; this asks what
    is left to an attacker whose noise must look like shading. The range, where there is one, is
    kept by a projection that may bring a little of the other frequencies back.

    Args:
        model: The denoiser.
        share: The highest frequency, as a share of the highest that the image holds, along each
            axis.
        **options: As `ObsAtkAuto` takes them.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(self, model: nn.Module, *, share: float = 0.25, **options: Any) -> None:
        super().__init__(model, **options)
        self.share = check_fraction("share", share, above=0)

    def direction(self, gradient: Tensor) -> Tensor:
        """The gradient's low frequencies, to length one."""
        found = smooth(gradient, self.share)
        return found.div_(lengths(found).clamp(min=1e-30))


def smooth(images: Tensor, share: float) -> Tensor:
    """The part of images at frequencies up to a share of the highest, along each axis.

    Along the rows first, then the columns of what is left of them, strip by strip: of a large image
    a transform as a whole holds several copies.

    Args:
        images: (N, C, H, W).
        share: From 0 to 1.
    """
    height, width = images.shape[-2:]
    rough = torch.fft.fftfreq(height, device=images.device).abs() > share / 2
    across = int((torch.fft.rfftfreq(width) <= share / 2).sum())  # the rest becomes zero
    found = torch.empty_like(images)
    for number in range(images.shape[1]):
        image, into = images[:, number : number + 1], found[:, number : number + 1]
        waves = torch.cat([torch.fft.rfft(rows)[..., :across] for rows in strips(image)], 2)
        for columns in strips(waves.mT):
            columns.copy_(torch.fft.ifft(torch.fft.fft(columns).masked_fill_(rough, 0)))
        parts = strips(into)
        for rows, to in zip(waves.split([len(p[0, 0]) for p in parts], 2), parts, strict=True):
            to.copy_(torch.fft.irfft(rows, n=width))
    return found
