"""JPEG compression."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images import check_layout


class Jpeg(Purifier):
    """JPEG compression and decompression (Das et al., arXiv:1705.02900).

    Args:
        quality: 1 to 100.
        differentiable: Use kornia's smooth imitation, through which gradients flow, instead of
            the real codec. It takes colour images only.

    Raises:
        InputError: If the quality is outside 1 to 100, or images have other than 1 or 3 channels.
    """

    def __init__(self, *, quality: int = 75, differentiable: bool = False) -> None:
        super().__init__()
        if not 1 <= quality <= 100:
            raise InputError(f"quality is {quality}; wanted 1 to 100.")
        self.quality = int(quality)
        self.differentiable = differentiable
        self.options = {"quality": self.quality, "differentiable": differentiable}

    def forward(self, images: Tensor) -> Tensor:
        """Compress ``images``, (N, C, H, W) in [0, 1], C = 1 or 3; rounds to 8 bits first."""
        check_layout(images, "images")
        if images.shape[1] not in (1, 3):
            raise InputError(f"JPEG takes 1 or 3 channels; images have {images.shape[1]}.")
        if self.differentiable:
            from kornia.enhance import jpeg_codec_differentiable

            check_layout(images, "images", 3)
            height, width = images.shape[-2:]
            pad = (0, -width % 16, 0, -height % 16)
            padded = torch.nn.functional.pad(images.float(), pad, mode="replicate")
            quality = torch.full((len(images),), float(self.quality), device=images.device)
            out = jpeg_codec_differentiable(padded, quality)[..., :height, :width]
            return out.clamp(0, 1).to(images.dtype)
        pixels = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
        coded = [self._code(p.permute(1, 2, 0).numpy()) for p in pixels]
        out = torch.from_numpy(np.stack(coded)).permute(0, 3, 1, 2).float() / 255
        return out.to(images.device, images.dtype)

    def _code(self, pixels: np.ndarray) -> np.ndarray:
        gray = pixels.shape[2] == 1
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if gray else pixels).save(
            buffer, "JPEG", quality=self.quality
        )
        decoded = np.asarray(Image.open(buffer))
        return decoded[:, :, None] if gray else decoded
