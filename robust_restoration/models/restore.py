"""Calling a denoiser, with everything checked that can go wrong with somebody else's."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser, frozen, unwrapped
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.images.metrics import psnr

from . import precision

Level = float | Tensor | None
PERFECT = 100.0  # dB that an image counts that is restored exactly


def restore(denoiser: nn.Module, noisy: Tensor, sigma: Level = None) -> Tensor:
    """Restore images with a `Denoiser`, or with any module that maps images to images.

    Args:
        denoiser: A plain module is told ``sigma`` where its forward has an argument of that name.
        noisy: (N, C, H, W), values in [0, 1] or about it.
        sigma: The noise level as a fraction of [0, 1], a float or (N,); required where the denoiser
            is not blind.

    Returns:
        (N, C, H, W), not clamped.

    Raises:
        InputError: If the images or the level are not what the denoiser wants, or it gives
            something that is not a finite image of the same shape.
    """
    name, inner = type(denoiser).__name__, unwrapped(denoiser)
    # A plain module's `channels`, if it has one, may be anything, such as a U-Net's widths.
    check_layout(noisy, "noisy", inner.channels if isinstance(inner, Denoiser) else None)
    sigma = _level(sigma, noisy, inner)
    restored = denoiser(noisy, sigma) if takes_sigma(denoiser) else denoiser(noisy)
    if not isinstance(restored, Tensor):
        raise InputError(
            f"{name} gives a {type(restored).__name__}; expected a tensor of restored images."
        )
    if restored.shape != noisy.shape:
        raise InputError(
            f"{name} makes {tuple(restored.shape)} of {tuple(noisy.shape)}; a denoiser must keep "
            "the shape. If its network needs sides that are multiples of some number, pad and crop "
            "inside its forward."
        )
    if not bool(torch.isfinite(restored.detach().sum())):
        bad = int((~torch.isfinite(restored)).flatten(1).any(dim=1).sum())
        if bad:
            raise InputError(
                f"{name} gives NaN or infinite values in {bad} of {len(restored)} images; expected "
                "finite ones. Check its weights, and its precision if it runs in float16."
            )
    return restored


def takes_sigma(denoiser: nn.Module) -> bool:
    """Whether a denoiser can be told the noise level."""
    if isinstance(unwrapped(denoiser), Denoiser):
        return True
    try:
        return "sigma" in inspect.signature(denoiser.forward).parameters
    except (TypeError, ValueError):
        return False


def conditioning(denoiser: nn.Module, sigma: float | None) -> float | None:
    """The level that a denoiser is told of noise of ``sigma``: none where it is blind."""
    inner = unwrapped(denoiser)
    return None if isinstance(inner, Denoiser) and inner.blind else sigma


def _level(sigma: Level, noisy: Tensor, denoiser: nn.Module) -> Level:
    if sigma is None:
        if isinstance(denoiser, Denoiser) and not denoiser.blind:
            raise InputError(
                f"{type(denoiser).__name__} must be told the noise level and got none: give "
                "sigma=25/255, say."
            )
        return None
    if isinstance(sigma, Tensor):
        if sigma.ndim and sigma.shape != noisy.shape[:1]:
            raise InputError(
                f"sigma has shape {tuple(sigma.shape)} for {len(noisy)} images; expected one "
                f"number, "
                f"or ({len(noisy)},)."
            )
        sigma = sigma.to(noisy)
        low, high = float(sigma.min()), float(sigma.max())
    else:
        low = high = float(sigma)
    if not 0 <= low <= high <= 1:
        raise InputError(
            f"sigma is {high if high > 1 else low:g}; expected a noise level as a fraction of "
            "[0, 1], such as 25/255."
        )
    return sigma


def restored(
    denoiser: nn.Module, images: Tensor, sigma: Level, autocast: str | None = None
) -> Tensor:
    """(N, C, H, W) float32.

    Args:
        denoiser: The denoiser.
        images: (N, C, H, W).
        sigma: What it is told, see `restore.conditioning`.
        autocast: ``"bf16"``, ``"fp16"`` or ``None``.
    """
    with torch.no_grad(), frozen(denoiser), precision.autocast(images, autocast):
        return restore(denoiser, images, sigma).float()


def quality(restored_images: Tensor, clean: Tensor) -> Tensor:
    """(N,) PSNR in dB, at most 100, so that means stay finite."""
    return psnr(restored_images, clean).clamp(max=PERFECT)
