"""Checks of what the denoisers are built and called with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from robust_restoration.errors import InputError

FRACTION = "levels are fractions of the [0, 1] range, such as 25/255"


def check_counts(at_least: int = 1, /, **counts: int) -> None:
    """Check that options are whole numbers of at least ``at_least``.

    Raises:
        InputError: With the first that is not.
    """
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < at_least:
            raise InputError(f"{name} is {count!r}; expected a whole number, {at_least} or more.")


def check_sigma_range(sigma_range: Sequence[float]) -> tuple[float, float]:
    """The lowest and highest noise level, checked.

    Raises:
        InputError: If they are not two fractions in order.
    """
    if isinstance(sigma_range, Sequence) and len(sigma_range) == 2:
        low, high = sigma_range
        if 0 <= low <= high <= 1:
            return float(low), float(high)
    raise InputError(f"sigma_range is {sigma_range!r}; expected (low, high), where {FRACTION}.")


def sigma_per_image(sigma: float | Tensor | None, images: Tensor, *, denoiser: str) -> Tensor:
    """The noise level of each image.

    Args:
        sigma: A float, or a tensor of shape (N,) or ().
        images: (N, C, H, W).
        denoiser: Who asks, for the messages.

    Returns:
        (N,), in the images' dtype and on their device.

    Raises:
        InputError: If there is none, or it is of another shape, negative, above 1 or not finite.
    """
    if sigma is None:
        raise InputError(
            f"{denoiser} has to be told the noise level: {denoiser}(noisy, sigma=25/255). "
            "Where it is not known, use a blind denoiser such as 'dncnn_b'."
        )
    count = images.shape[0]
    if isinstance(sigma, Tensor):
        if sigma.shape not in ((), (count,)):
            raise InputError(
                f"sigma has shape {tuple(sigma.shape)} for {count} images; expected a float or "
                f"({count},), one level an image."
            )
        levels = sigma.detach().double().cpu().reshape(-1).tolist()
    else:
        levels = [float(sigma)]
    for level in levels:
        if not (math.isfinite(level) and 0 <= level <= 1):
            raise InputError(f"sigma is {level:g}; {FRACTION}.")
    if isinstance(sigma, Tensor):
        return sigma.to(images).expand(count)
    return torch.full((count,), float(sigma), dtype=images.dtype, device=images.device)
