"""The noise level that a denoiser is given, one for each image."""

from __future__ import annotations

import torch
from torch import Tensor

from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_one_each
from robust_restoration.numbers import check_level


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
        check_one_each("sigma", sigma, count)
    if not (isinstance(sigma, Tensor) and torch.compiler.is_compiling()):  # it has no values then
        check_level("sigma", sigma)
    if isinstance(sigma, Tensor):
        return sigma.to(images).expand(count)
    return torch.full((count,), float(sigma), dtype=images.dtype, device=images.device)
