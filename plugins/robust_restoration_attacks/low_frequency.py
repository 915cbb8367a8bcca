"""Perturbations of low spatial frequencies alone, by adaptive steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.numbers import check_fraction

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

    Args:
        images: (N, C, H, W).
        share: From 0 to 1.
    """
    height, width = images.shape[-2:]
    down = torch.fft.fftfreq(height, device=images.device).abs()[:, None] <= share / 2
    across = torch.fft.rfftfreq(width, device=images.device)[None] <= share / 2
    kept, found = down & across, torch.empty_like(images)
    for number in range(images.shape[1]):  # all transforms at once are two more of a large image
        part = torch.fft.rfft2(images[:, number]).mul_(kept)
        found[:, number] = torch.fft.irfft2(part, s=(height, width))
    return found
