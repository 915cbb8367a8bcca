"""Radar polygons: how far a denoiser's PSNR falls in each direction about a noisy image.

Section III-C of the denoising-PGD paper, whose printed basis and normalisation are wrong: noise is
turned in the plane of its own direction and the attack's, at the attack's length.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.models.restore import conditioning, quality, restored
from robust_restoration.numbers import check_count

SHAPES = ("circle", "ellipse")


def circle_samples(
    noisy: Tensor, clean: Tensor, attacked: Tensor, count: int = 100, *, shape: str = "circle"
) -> Tensor:
    """Noisy images on a circle about one, as far from it as the attacked one (eq. 4).

    s_t = y + |v| (sin t n + cos t p), t = 2 pi k / count, with v the attack's perturbation, n the
    noise's direction and p that of v orthogonal to n. At 90 degrees the noise gets longer along
    itself. Nothing is clipped.

    Args:
        noisy: y, (C, H, W).
        clean: (C, H, W).
        attacked: (C, H, W).
        count: Number of samples, at least 1.
        shape: ``"circle"``: p has length 1; ``"ellipse"``: p is the part of v / |v| orthogonal to
            n, divided by sqrt(1 + c^2) and not by its own length sqrt(1 - c^2), with c the cosine
            between v and n, as the authors' script has it. The ellipse is narrower across the
            noise, the more so the more the attack goes along it.

    Returns:
        (count, C, H, W).

    Raises:
        InputError: If the image is not noisy, the perturbation lies along the noise, or an option
            makes no sense.
    """
    check_count("count", count)
    if shape not in SHAPES:
        raise InputError(f"shape is {shape!r}; expected {' or '.join(map(repr, SHAPES))}.")
    noise, change = (noisy - clean).flatten(), (attacked - noisy).flatten()
    if float(noise.norm()) == 0:
        raise InputError("The noisy image is the clean one: there is no noise to turn.")
    axis = noise / noise.norm()
    length = change.norm()
    along = change @ axis / length.clamp(min=1e-30)
    across = change / length.clamp(min=1e-30) - along * axis
    if float(across.norm()) <= 1e-4 or float(length) == 0:
        raise InputError("The perturbation is 0 or lies along the noise: they span no plane.")
    across = across / (across.norm() if shape == "circle" else (1 + along**2).sqrt())
    angles = 2 * math.pi * torch.arange(count, dtype=noise.dtype, device=noise.device) / count
    directions = angles.sin()[:, None] * axis + angles.cos()[:, None] * across
    return noisy + (length * directions).view(count, *noisy.shape)


def radar(
    denoiser: nn.Module, samples: Tensor, noisy: Tensor, clean: Tensor, sigma: float
) -> Tensor:
    """Radii of a radar polygon: how far PSNR falls at each sample, scaled to a maximum of 1.

    Args:
        denoiser: The denoiser.
        samples: (count, C, H, W), of `circle_samples`.
        noisy: (C, H, W).
        clean: (C, H, W).
        sigma: The noise's level, for a denoiser that is not blind.

    Returns:
        (count,) in [0, 1]: max(0, PSNR(f(y)) - PSNR(f(s))) over its maximum; all 0 if none falls.
    """
    if not len(samples):
        raise InputError("There are no samples; expected some, such as circle_samples makes.")

    def reached(images: Tensor) -> Tensor:
        after = restored(denoiser, images, conditioning(denoiser, sigma))
        return quality(after, clean.expand_as(images)).cpu().double()

    falls = reached(noisy[None]) - torch.cat([reached(part) for part in samples.split(16)])
    falls = falls.clamp(min=0)
    return falls / falls.max() if float(falls.max()) > 0 else falls


def polygon_iou(first: Tensor, second: Tensor) -> float:
    """Overlap of two radar polygons: the area they share over the area they cover, exactly.

    Args:
        first: (count,) radii at equal angles, count at least 3.
        second: The same.

    Returns:
        From 0 to 1; 1 where both are empty.

    Raises:
        InputError: If they differ in length, or are too short.
    """
    if first.shape != second.shape or first.ndim != 1 or len(first) < 3:
        raise InputError(
            f"The radii have shapes {tuple(first.shape)} and {tuple(second.shape)}; expected the "
            "same (count,), at least 3."
        )
    a, b = first.double(), second.double()
    a_next, b_next = a.roll(-1), b.roll(-1)
    wedge = math.sin(2 * math.pi / len(a)) / 2
    area_a, area_b = (wedge * (r * r.roll(-1)).sum() for r in (a, b))
    # Within a sector both edges are lines over the same two rays: they cross at most once, where
    # alpha / a + beta / a_next = alpha / b + beta / b_next = 1.
    low, low_next = torch.minimum(a, b), torch.minimum(a_next, b_next)
    crossing = (a - b) * (a_next - b_next) < 0
    safe = torch.where(crossing, (a * a_next * b * b_next).clamp(min=1e-300), 1.0)
    determinant = torch.where(crossing, (b * a_next - a * b_next), 1.0)
    alpha = a * b * (a_next - b_next) / determinant
    beta = a_next * b_next * (b - a) / determinant
    whole = low * low_next
    split = low * beta + alpha * low_next
    shared = wedge * torch.where(crossing & (safe > 1e-300), split, whole).sum()
    union = area_a + area_b - shared
    return float(shared / union) if float(union) > 0 else 1.0
