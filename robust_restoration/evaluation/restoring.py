"""What a denoiser makes of images while it is measured: no gradients, eval mode, told its level."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robust_restoration import precision
from robust_restoration.contracts import frozen
from robust_restoration.metrics import psnr
from robust_restoration.restore import Level, restore

PERFECT = 100.0  # dB that an image counts that is restored exactly


def restored(
    denoiser: nn.Module, images: Tensor, sigma: Level, autocast: str | None = None
) -> Tensor:
    """(N, C, H, W) float32.

    Args:
        denoiser: The denoiser.
        images: (N, C, H, W).
        sigma: What it is told, see `restore.told_level`.
        autocast: ``"bf16"``, ``"fp16"`` or ``None``.
    """
    with torch.no_grad(), frozen(denoiser), precision.autocast(images, autocast):
        return restore(denoiser, images, sigma).float()


def quality(restored_images: Tensor, clean: Tensor) -> Tensor:
    """(N,) PSNR in dB, at most 100, so that means stay finite."""
    return psnr(restored_images, clean).clamp(max=PERFECT)
