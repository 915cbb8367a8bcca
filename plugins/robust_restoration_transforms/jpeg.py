"""JPEG compression."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count

from .precision import full_precision

BLOCK = 16  # the side of JPEG's blocks in pixels, where colour has half the resolution


class Jpeg(Purifier):
    """JPEG compression and decompression (Das et al., arXiv:1705.02900).

    By Pillow, at its defaults for a quality: colour is kept at half resolution. Sides that are not
    a multiple of a block are filled up by the codec, and cut off again.

    Args:
        quality: 1 to 100.
        differentiable: Use kornia's smooth imitation (Reich et al., arXiv:2309.06978), through
            which gradients flow, instead of the real codec. It repeats the outermost pixels to
            fill up blocks, and differs from the codec by what rounding leaves.

    Raises:
        InputError: If the quality is not a whole number from 1 to 100, or images have other than 1
            or 3 channels.
    """

    differentiable = False

    def __init__(self, *, quality: int = 75, differentiable: bool = False) -> None:
        super().__init__()
        self.quality = check_count("quality", quality, 1, 100)
        self.differentiable = bool(differentiable)
        self.options = {"quality": self.quality, "differentiable": self.differentiable}

    def forward(self, images: Tensor) -> Tensor:
        """Compress ``images``, (N, C, H, W) in [0, 1], C = 1 or 3.

        The real codec rounds to 8 bits first, and its result carries no gradients.
        """
        check_layout(images, "images")
        if images.shape[1] not in (1, 3):
            raise InputError(f"JPEG takes 1 or 3 channels; images have {images.shape[1]}.")
        if self.differentiable:
            return self._imitate(images)
        pixels = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
        coded = [self._code(p.permute(1, 2, 0).numpy()) for p in pixels]
        out = torch.from_numpy(np.stack(coded)).permute(0, 3, 1, 2).float() / 255
        return out.to(images.device, images.dtype).contiguous()

    def _imitate(self, images: Tensor) -> Tensor:
        from kornia.enhance import jpeg_codec_differentiable

        channels, height, width = images.shape[1:]
        quality = torch.full((len(images),), float(self.quality), device=images.device)
        with full_precision(images) as values:
            filled = pad(values, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
            # Gray in three channels has no colour to lose: they come back equal.
            coded = jpeg_codec_differentiable(filled.expand(-1, 3, -1, -1), quality.to(filled))
        if channels == 1:
            coded = coded.mean(1, keepdim=True)
        return coded[..., :height, :width].clamp(0, 1).to(images.dtype).contiguous()

    def _code(self, pixels: np.ndarray) -> np.ndarray:
        gray = pixels.shape[2] == 1
        buffer = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if gray else pixels).save(
            buffer, "JPEG", quality=self.quality
        )
        decoded = np.asarray(Image.open(buffer))
        return decoded[:, :, None] if gray else decoded
