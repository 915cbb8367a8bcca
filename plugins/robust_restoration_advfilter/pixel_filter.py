"""The per-pixel filter: every pixel of every channel has a kernel of its own.

AdvFilter eq. 7. With C channels and kernels of K x K, out[n, c, p] is the sum over the K^2 offsets
q of kernels[n, q*C + c, p] * images[n, c, p + q], zeros outside the image.

``F.unfold`` writes K^2 shifted copies of the image, multiplies, and keeps both for the backward
pass. Here the shifted images are views of one padded copy, and only the two inputs are kept.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from robust_restoration.errors import InputError

_LOW = (torch.bfloat16, torch.float16)
_CACHED = 150_000  # numbers; three such arrays of float32 fit a core's second-level cache


class _PixelFilter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, kernels: Tensor, size: int) -> Tensor:
        # Sums run in float32 also where the inputs are of half precision.
        wide = torch.float32 if images.dtype in _LOW else images.dtype
        padded = F.pad(images.contiguous().to(wide), (size // 2,) * 4)
        maps = _by_offset(kernels, images.shape[1])
        ctx.save_for_backward(padded, kernels)
        ctx.size, ctx.dtype = size, images.dtype
        out = torch.empty(images.shape, dtype=wide, device=images.device)
        for n in _slices(images):
            for q in range(size * size):
                under = window(padded[n], q, size)
                if q == 0:
                    torch.mul(maps[n, q], under, out=out[n])
                else:
                    out[n].addcmul_(maps[n, q].to(wide), under)
        return out.to(images.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        padded, kernels = ctx.saved_tensors
        size, wide = ctx.size, padded.dtype
        need_images, need_kernels, _ = ctx.needs_input_grad
        grad = grad.contiguous().to(wide)
        maps = _by_offset(kernels, grad.shape[1])
        grad_kernels = torch.empty_like(maps) if need_kernels else None
        grad_padded = torch.zeros_like(padded) if need_images else None
        for n in _slices(grad):
            for q in range(size * size):
                if grad_kernels is not None:
                    torch.mul(grad[n], window(padded[n], q, size), out=grad_kernels[n, q])
                if grad_padded is not None:
                    window(grad_padded[n], q, size).addcmul_(maps[n, q].to(wide), grad[n])
        half = size // 2
        grad_images = None
        if grad_padded is not None:
            height, width = grad.shape[-2:]
            grad_images = grad_padded[..., half : half + height, half : half + width].to(ctx.dtype)
        return (
            grad_images,
            grad_kernels.view(kernels.shape) if grad_kernels is not None else None,
            None,
        )


def _slices(images: Tensor) -> list[slice]:
    """Which images to go through the offsets with at a time.

    On a CPU so few that their sums and windows stay in the cache; elsewhere all, for fewer
    launches.
    """
    count, size = images.shape[0], max(images[0].numel(), 1)
    step = max(1, _CACHED // size) if images.device.type == "cpu" else max(count, 1)
    return [slice(start, start + step) for start in range(0, count, step)]


def _by_offset(kernels: Tensor, channels: int) -> Tensor:
    """(N, K^2 C, H, W) as (N, K^2, C, H, W), each map contiguous."""
    n, maps, height, width = kernels.shape
    return kernels.contiguous().view(n, maps // channels, channels, height, width)


def window(padded: Tensor, q: int, size: int) -> Tensor:
    """The view of padded (..., H+K-1, W+K-1) images that lies under kernel offset ``q``."""
    row, column = divmod(q, size)
    height, width = padded.shape[-2] - size + 1, padded.shape[-1] - size + 1
    return padded[..., row : row + height, column : column + width]


def pixel_filter(images: Tensor, kernels: Tensor) -> Tensor:
    """Filter every pixel by a kernel of its own.

    Args:
        images: (N, C, H, W), any range.
        kernels: (N, K*K*C, H, W) with K odd, in channel order q*C + c: all channels of the
            first offset, then of the second, row by row. Not normalised here.

    Returns:
        (N, C, H, W), of the dtype of ``images``. Zeros are taken outside the image.

    Raises:
        InputError: If the shapes do not belong together.

    Source: AdvFilter (ACM MM 2021), eq. 7. Once differentiable in both arguments.
    """
    if images.ndim != 4 or kernels.ndim != 4:
        raise InputError(
            f"pixel_filter got images {tuple(images.shape)} and kernels {tuple(kernels.shape)}; "
            "expected (N, C, H, W) and (N, K*K*C, H, W)."
        )
    n, channels, height, width = images.shape
    size = round((kernels.shape[1] / max(channels, 1)) ** 0.5)
    if size % 2 == 0 or kernels.shape != (n, size * size * channels, height, width):
        raise InputError(
            f"pixel_filter got images {tuple(images.shape)} and kernels {tuple(kernels.shape)}; "
            f"expected kernels ({n}, K*K*{channels}, {height}, {width}) with K odd."
        )
    return _PixelFilter.apply(images, kernels, size)


def blur_kernels(size: int, channels: int, sigma: float) -> Tensor:
    """(K*K*C,) values of a kernel that blurs every channel by a Gaussian and adds up to one.

    Args:
        size: K, odd.
        channels: C.
        sigma: Standard deviation in pixels; 0 leaves the image as it is.
    """
    at = torch.arange(size, dtype=torch.float64) - size // 2
    line = torch.exp(-0.5 * (at / sigma) ** 2) if sigma > 0 else (at == 0).double()
    kernel = torch.outer(line, line)
    kernel = (kernel / kernel.sum()).float().view(-1, 1)
    return kernel.expand(-1, channels).flatten()
