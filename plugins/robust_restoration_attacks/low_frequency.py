"""Perturbations of low spatial frequencies alone, by adaptive steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.numbers import check_fraction

from .large import strips
from .obsatk_auto import ObsAtkAuto


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
        """The gradient's low frequencies, to length one, in its place."""
        return super().direction(smooth(gradient, self.share))


def smooth(images: Tensor, share: float) -> Tensor:
    """The part of images at frequencies up to a share of the highest, along each axis.

    Along the rows first, then the columns of what is left of them, strip by strip: of a large image
    a transform as a whole holds several copies.

    Args:
        images: (N, C, H, W); what is found takes their place.
        share: From 0 to 1.
    """
    number, channels, height, width = images.shape
    rough = torch.fft.fftfreq(height, device=images.device).abs() > share / 2
    across = int((torch.fft.rfftfreq(width) <= share / 2).sum())  # the rest becomes zero
    for channel in range(channels):
        parts = strips(images[:, channel : channel + 1])
        waves = torch.empty(
            number, 1, height, across, dtype=images.dtype.to_complex(), device=images.device
        )
        kept = waves.split([len(part[0, 0]) for part in parts], 2)
        for part, wave in zip(parts, kept, strict=True):
            wave.copy_(torch.fft.rfft(part)[..., :across])
        for columns in strips(waves.mT):
            columns.copy_(torch.fft.ifft(torch.fft.fft(columns).masked_fill_(rough, 0)))
        for part, wave in zip(parts, kept, strict=True):
            part.copy_(torch.fft.irfft(wave, n=width))
    return images
