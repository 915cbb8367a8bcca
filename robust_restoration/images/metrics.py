"""Metrics, one number an image; an average never depends on how images were batched.

PSNR here is ``-10 log10 MSE`` of an image with the restored one clamped to [0, 1], over all
channels, without border crop and without rounding to 8 bits: the definition of the ObsAtk paper's
released code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robust_restoration.errors import InputError, check_type


def _check(restored: Tensor, clean: Tensor) -> None:
    for name, images in (("restored", restored), ("clean", clean)):
        check_type(name, images, Tensor, "a torch tensor (N, C, H, W)")
    if restored.shape != clean.shape or restored.ndim != 4:
        raise InputError(
            f"restored has shape {tuple(restored.shape)} and clean {tuple(clean.shape)}; "
            "expected the same (N, C, H, W)."
        )


def psnr(restored: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB.

    Args:
        restored: (N, C, H, W); clamped to [0, 1] here.
        clean: (N, C, H, W) in [0, 1].

    Returns:
        (N,), infinite where the two are equal.

    Raises:
        InputError: If the shapes differ.

    Example:
        >>> psnr(torch.full((1, 1, 2, 2), 0.6), torch.full((1, 1, 2, 2), 0.5))
        tensor([20.0000])
    """
    _check(restored, clean)
    error = (restored.float().clamp(0, 1) - clean.float()).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error)


def mae(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error, restored clamped to [0, 1]; shapes as in `psnr`."""
    _check(restored, clean)
    return (restored.float().clamp(0, 1) - clean.float()).abs().mean(dim=(1, 2, 3))


def ssim(restored: Tensor, clean: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004): data range 1, each channel alone, then their mean.

    The window is an 11x11 Gaussian of sigma 1.5; the mean is over the pixels at which it lies
    within the image, as in scikit-image. On images smaller than that, the largest odd window that
    fits. Arguments and result as in `psnr`.
    """
    from kornia.metrics import ssim as ssim_map

    _check(restored, clean)
    window = min(11, *(side - (1 - side % 2) for side in restored.shape[-2:]))
    values = ssim_map(restored.float().clamp(0, 1), clean.float(), window, max_val=1.0)
    half = window // 2
    height, width = restored.shape[-2:]
    inside = values[..., half : height - half, half : width - half]
    return inside.mean(dim=(1, 2, 3))


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether each image is classified right: 1.0 or 0.0, shape (N,).

    Args:
        logits: (N, classes).
        labels: (N,) integers.
    """
    return (logits.argmax(dim=1) == labels).float()
