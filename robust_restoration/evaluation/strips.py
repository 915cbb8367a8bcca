"""Pictures of what an attack does to an image: one strip an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from robust_restoration.images.files import write_image
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
) -> Tensor:
    """Panels side by side: clean, noisy, restored, attacked, restored attacked, differences.

    Args:
        clean: (C, H, W), as all others.
        noisy: The noisy image.
        restored: What the denoiser makes of it.
        attacked: The attacked image.
        restored_attacked: What the denoiser makes of that.
        amplify: Factor of the differences, which lie about mid-gray.

    Returns:
        (3, height, width) in [0, 1], with PSNR in dB above the panels.
    """

    def difference(of: Tensor, to: Tensor) -> Tensor:
        return 0.5 + amplify * (of - to)

    panels = [
        ("clean", clean, False),
        ("noisy", noisy, True),
        ("restored", restored, True),
        ("attacked", attacked, True),
        ("restored attacked", restored_attacked, True),
        (f"attacked - noisy x{amplify:g}", difference(attacked, noisy), False),
        (f"restored: change x{amplify:g}", difference(restored_attacked, restored), False),
    ]
    columns = []
    for title, image, measured in panels:
        image = image.detach().float().cpu()
        if measured:
            title += f" {float(psnr(image[None], clean[None].cpu())):.1f}"
        columns += [_titled(title, image.clamp(0, 1).expand(3, -1, -1)), _gap(image)]
    return torch.cat(columns[:-1], dim=2)


def write_strip(path: Path | str, *images: Tensor, amplify: float = 8.0) -> None:
    """Write a `strip` as PNG."""
    write_image(strip(*images, amplify=amplify), path)


def _titled(title: str, image: Tensor) -> Tensor:
    band = Image.new("L", (image.shape[-1], BAND), 255)
    ImageDraw.Draw(band).text((2, 2), title, fill=0)
    above = torch.from_numpy(np.array(band)).float().div(255).expand(3, -1, -1)
    return torch.cat([above, image], dim=1)


def _gap(image: Tensor) -> Tensor:
    return torch.ones(3, image.shape[-2] + BAND, GAP)
