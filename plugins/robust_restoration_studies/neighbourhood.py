"""What lies between two attacked images, and what an attack does that is kept to a patch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.images.metrics import psnr
from robust_restoration.models.restore import Level, restored

WAYS = ("cut out", "made inside")


def adversarial_space(
    denoiser: nn.Module,
    clean: Tensor,
    first: Tensor,
    second: Tensor,
    *,
    sigma: Level = None,
    steps: int = 11,
) -> Tensor:
    """PSNR along the line between two attacked images (denoising-PGD paper, eq. 8).

    If all of it is as low as its ends, attacked images are no isolated points.

    Args:
        denoiser: The denoiser.
        clean: (N, C, H, W).
        first: One attacked image of each, at the end of the line.
        second: Another one, at its beginning.
        sigma: The level that the denoiser is conditioned on.
        steps: Points on the line, both ends among them.

    Returns:
        (steps, N), PSNR in dB of lambda first + (1 - lambda) second, lambda from 0 to 1.

    Raises:
        InputError: If the shapes differ, or there are fewer than two points.
    """
    if not clean.shape == first.shape == second.shape or steps < 2:
        raise InputError(
            f"clean is {tuple(clean.shape)}, first {tuple(first.shape)}, second "
            f"{tuple(second.shape)} and steps {steps}; expected three alike, and at least 2 points."
        )
    found = []
    for share in torch.linspace(0, 1, steps).tolist():
        between = restored(denoiser, share * first + (1 - share) * second, sigma)
        found.append(psnr(between, clean))
    return torch.stack(found)


def patch_attack(
    attack: Any,
    noisy: Tensor,
    clean: Tensor,
    patch: tuple[int, int, int, int],
    *,
    way: str = "cut out",
    index: int = 0,
) -> Tensor:
    """Attack, and keep the perturbation only within a patch (typical-set paper, 3.3.3).

    Args:
        attack: An attack on a denoiser.
        noisy: (N, C, H, W).
        clean: (N, C, H, W).
        patch: Top, left, height and width, in pixels.
        way: ``"cut out"``: the whole image is attacked, and the rest of the perturbation dropped;
            ``"made inside"``: the patch is attacked as an image of its own.
        index: The first image's number, which random starts depend on.

    Returns:
        (N, C, H, W): ``noisy`` outside the patch, to the bit.

    Raises:
        InputError: If the patch leaves the image, or there is no such way.
    """
    top, left, height, width = patch
    bottom, right = top + height, left + width
    inside = 0 <= top < bottom <= noisy.shape[-2] and 0 <= left < right <= noisy.shape[-1]
    if not inside or way not in WAYS:
        raise InputError(
            f"patch is {patch} and way {way!r}; expected (top, left, height, width) within "
            f"{tuple(noisy.shape[-2:])}, and {' or '.join(map(repr, WAYS))}."
        )
    area = (..., slice(top, bottom), slice(left, right))
    found = noisy.clone()
    if way == "cut out":
        found[area] = attack(noisy, clean, index=index)[area]
    else:
        part = noisy[area].contiguous(), clean[area].contiguous()
        found[area] = attack(*part, index=index)
    return found
