"""Pictures of what an attack does to an image: one strip an image."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from robust_restoration.files import atomic_path
from robust_restoration.images.metrics import psnr

GAP, BAND = 4, 16


def strip(
    clean: Tensor,
    noisy: Tensor,
    restored: Tensor,
    attacked: Tensor,
    restored_attacked: Tensor,
    *,
    amplify: float = 8.0,
) -> Image.Image:
    """Panels side by side: clean, noisy, restored, attacked, restored attacked, differences.

    Args:
        clean: (C, H, W), as all others.
        noisy: The noisy image.
        restored: What the denoiser makes of it.
        attacked: The attacked image.
        restored_attacked: What the denoiser makes of that.
        amplify: Factor of the differences, which lie about mid-gray.

    Returns:
        The picture, with PSNR in dB above the panels.
    """
    panels = {
        "clean": clean,
        "noisy": noisy,
        "restored": restored,
        "attacked": attacked,
        "restored attacked": restored_attacked,
        f"attacked - noisy x{amplify:g}": 0.5 + amplify * (attacked - noisy),
        f"restored: change x{amplify:g}": 0.5 + amplify * (restored_attacked - restored),
    }
    height, width = clean.shape[-2:]
    picture = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + BAND), "white")
    for place, (title, image) in enumerate(panels.items()):
        if 0 < place < 5:
            title += f" {float(psnr(image[None], clean[None])):.1f}"
        gray = image.detach().float().cpu().clamp(0, 1).expand(3, -1, -1)
        pixels = (255 * gray).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        left = place * (width + GAP)
        picture.paste(_titled(title, Image.fromarray(pixels.numpy())), (left, 0))
    return picture


def write_strip(path: Path | str, *images: Tensor, amplify: float = 8.0) -> None:
    """Write a `strip`, atomically, in the format that the path's suffix names."""
    with atomic_path(path) as temporary:
        strip(*images, amplify=amplify).save(temporary)


def _titled(title: str, panel: Image.Image) -> Image.Image:
    found = Image.new("RGB", (panel.width, panel.height + BAND), "white")
    ImageDraw.Draw(found).text((2, 2), title, fill="black")
    found.paste(panel, (0, BAND))
    return found
