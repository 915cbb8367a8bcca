"""Filtering by kernels that are predicted at half the image's size.

The paper upsamples features and then applies the 1x1 output layer that makes many maps of them.
The two commute, bilinear weights adding up to one, so the layer runs at half the size here: the
same function at a quarter of the cost. The maps are never upsampled all at once: those of one row
of kernel offsets after the other are, in both directions, and stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .pixel_filter import window

# Of images that are filtered together on a CPU.
PIXELS_AT_ONCE = 2**16


def upsampled(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps (N, M, h, w) at twice their size, bilinear, cropped to (N, M, height, width)."""
    found = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    return found[..., :height, :width]


def at_pixels(maps: Tensor, pixels: Sequence[tuple[int, int]]) -> Tensor:
    """(N, P, M), the values that `upsampled` has at P pixels (row, column)."""
    small = maps.new_tensor(pixels, dtype=torch.float64).view(-1, 2) / 2 - 0.25
    limits = small.new_tensor([maps.shape[-2] - 1, maps.shape[-1] - 1])
    low = small.floor()
    (top, left), (bottom, right) = (
        at.clamp(min=0).minimum(limits).long().unbind(1) for at in (low, low + 1)
    )
    down, across = (small - low).to(maps.dtype).unbind(1)
    above = torch.lerp(maps[..., top, left], maps[..., top, right], across)
    below = torch.lerp(maps[..., bottom, left], maps[..., bottom, right], across)
    return torch.lerp(above, below, down).movedim(1, 2)


def upsampled_filter(images: Tensor, maps: Tensor) -> Tensor:
    """Filter every pixel by its kernel, from kernels at half the size.

    Args:
        images: (N, C, H, W), any range.
        maps: (N, K*K*C, h, w) in the channel order of `pixel_filter`, where 2h >= H and 2w >= W.

    Returns:
        The filtered images (N, C, H, W), in the dtype of ``images``. Once differentiable in the
        images and the maps.
    """
    if torch.compiler.is_compiling():
        return _in_whole_tensors(images, maps)
    return _UpsampledFilter.apply(images, maps)


def _in_whole_tensors(images: Tensor, maps: Tensor) -> Tensor:
    """The same without loops over images and without writing in place.

    For compilers and exporters, which then take any number of images; a compiler fuses it.
    """
    wide = torch.float64 if images.dtype == torch.float64 else torch.float32
    channels, height, width = images.shape[1:]
    size = round((maps.shape[1] / channels) ** 0.5)
    kernels = upsampled(maps.to(wide), height, width)
    padded = F.pad(images.to(wide), (size // 2,) * 4)
    found = torch.zeros_like(images, dtype=wide)
    for offset in range(size * size):
        kernel = kernels[:, offset * channels : (offset + 1) * channels]
        found = found + kernel * window(padded, offset, size)
    return found.to(images.dtype)


class _UpsampledFilter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, maps: Tensor) -> Tensor:
        work = _Work(images, maps.shape[1], maps.shape[-2:])
        ctx.save_for_backward(images, maps)
        return work.filter(images, work.rows_of(maps))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        images, maps = ctx.saved_tensors
        work = _Work(images, maps.shape[1], maps.shape[-2:])
        return work.gradients(images, maps, grad, ctx.needs_input_grad)


class _Work:
    """The loops over images and rows of offsets, and the sizes and memory they work in.

    Even and odd columns are kept apart, as the dimension after that of the images, until the end:
    upsampled maps have other weights there, and processors read and write neighbours faster than
    every second number.
    """

    def __init__(self, images: Tensor, maps: int, half_size: torch.Size) -> None:
        self.images_shape, self.device = images.shape, images.device
        count, self.channels, self.height, self.width = images.shape
        self.size = round((maps / self.channels) ** 0.5)
        self.h, self.w = half_size
        self.dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
        # Few pixels at a time on a CPU, for its cache; all at once elsewhere, for fewer launches.
        self.step = max(count, 1)
        if images.device.type == "cpu":
            self.step = min(self.step, max(PIXELS_AT_ONCE // max(self.height * self.width, 1), 1))
        self.parts = [slice(n, n + self.step) for n in range(0, count, self.step)]
        kernels = (self.size, self.channels)
        self.bordered_shape = (*kernels, self.h + 2, self.w + 2)
        self.tall = self.empty(*kernels, 2 * self.h, self.w + 2)
        self.kernels = self.empty(*kernels, 2 * self.h, self.w)

    def empty(self, *shape: int) -> Tensor:
        """Room for one part of the images."""
        return torch.empty(self.step, *shape, dtype=self.dtype, device=self.device)

    def rows_of(self, maps: Tensor) -> Callable[[slice], Callable[[int], Tensor]]:
        """By part, and then by row of offsets: the small maps with one replicated pixel around."""
        return lambda part: lambda row: _bordered(self._row(maps[part], row).to(self.dtype))

    def filter(
        self, images: Tensor, rows_of: Callable[[slice], Callable[[int], Tensor]]
    ) -> Tensor:
        """The filtered images."""
        found = torch.empty(self.images_shape, dtype=images.dtype, device=self.device)
        sums = self.empty(2, self.channels, 2 * self.h, self.w)
        for part in self.parts:
            apart, row_of = self._apart(images[part], self.size // 2), rows_of(part)
            out = sums[: len(apart)].zero_()
            for row in range(self.size):
                tall = self._taller(row_of(row))
                for odd in (0, 1):
                    kernels = self._wider(tall, odd)
                    for column in range(self.size):
                        under = self._window(apart, odd, row, column)
                        out[:, odd].addcmul_(kernels[:, column], under)
            found[part] = self._together(out)
        return found

    def gradients(
        self, images: Tensor, maps: Tensor, grad: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Those of the images and of the small maps, as far as they are needed."""
        of_images = torch.zeros_like(images) if needed[0] else None
        of_maps = torch.zeros_like(maps) if needed[1] else None
        rows_of, room = self.rows_of(maps), torch.zeros_like(self.kernels)
        for part in self.parts:
            apart, row_of = self._apart(images[part], self.size // 2), rows_of(part)
            grad_kernels, out = room[: len(apart)], self._apart(grad[part])
            grad_apart = torch.zeros_like(apart)
            tall, kernels = self.tall[: len(apart)], self.kernels[: len(apart)]
            for row in range(self.size):
                if of_images is not None:  # not when filters are trained
                    self._taller(row_of(row))
                grad_tall = torch.zeros_like(tall)
                for odd in (0, 1):
                    if of_images is not None:
                        self._wider(tall, odd)
                    for column in range(self.size):
                        under = self._window(apart, odd, row, column)
                        if of_maps is not None:
                            torch.mul(out[:, odd], under, out=grad_kernels[:, column])
                        if of_images is not None:
                            self._window(grad_apart, odd, row, column).addcmul_(
                                kernels[:, column], out[:, odd]
                            )
                    if of_maps is not None:
                        _add_wider_transposed(grad_tall, grad_kernels, odd)
                if of_maps is not None:
                    self._row(of_maps[part], row).copy_(_small_transposed(grad_tall))
            if of_images is not None:
                of_images[part] = self._together(grad_apart, self.size // 2)
        return of_images, of_maps

    def _row(self, maps: Tensor, row: int) -> Tensor:
        """(step, K, C, h, w) of small maps."""
        return maps.unflatten(1, (self.size, self.size, self.channels))[:, row]

    def _apart(self, images: Tensor, around: int = 0) -> Tensor:
        """(step, C, H, W) as (step, 2, C, 2h, w), with zeros where there is no pixel.

        ``around`` is how many more zeros there are on each side, for the kernels to reach.
        """
        right, bottom = 2 * self.w - self.width, 2 * self.h - self.height
        border = (around, around + right, around, around + bottom)
        padded = F.pad(images.to(self.dtype), border)
        return padded.unflatten(-1, (-1, 2)).movedim(-1, 1).contiguous()

    def _together(self, apart: Tensor, around: int = 0) -> Tensor:
        """What `_apart` took, of its result."""
        whole = apart.movedim(1, -1).flatten(-2)
        return whole[..., around : around + self.height, around : around + self.width]

    def _window(self, padded: Tensor, odd: int, row: int, column: int) -> Tensor:
        """The view of padded images that lies under an offset, for even or odd columns."""
        first, parity = divmod(odd + column, 2)
        return padded[:, parity, :, row : row + 2 * self.h, first : first + self.w]

    # An upsampled pixel lies a quarter off a small one: it is 3/4 of that and 1/4 of the next.

    def _taller(self, small: Tensor) -> Tensor:
        middle, tall = small[..., 1:-1, :], self.tall[: len(small)]
        torch.lerp(middle, small[..., :-2, :], 0.25, out=tall[..., 0::2, :])
        torch.lerp(middle, small[..., 2:, :], 0.25, out=tall[..., 1::2, :])
        return tall

    def _wider(self, tall: Tensor, odd: int) -> Tensor:
        beside = tall[..., 2 * odd : 2 * odd + self.w]
        return torch.lerp(tall[..., 1:-1], beside, 0.25, out=self.kernels[: len(tall)])


def _bordered(maps: Tensor) -> Tensor:
    """With one replicated pixel around, which is what bilinear upsampling looks at."""
    flat = maps.flatten(1, -3)
    return F.pad(flat, (1, 1, 1, 1), mode="replicate").unflatten(1, maps.shape[1:-2])


def _add_wider_transposed(grad_tall: Tensor, grad_kernels: Tensor, odd: int) -> None:
    width = grad_kernels.shape[-1]
    grad_tall[..., 1:-1].add_(grad_kernels, alpha=0.75)
    grad_tall[..., 2 * odd : 2 * odd + width].add_(grad_kernels, alpha=0.25)


def _small_transposed(grad_tall: Tensor) -> Tensor:
    """The gradient of the small maps without their border."""
    *lead, height, width = grad_tall.shape
    even, odd = grad_tall[..., 0::2, :], grad_tall[..., 1::2, :]
    small = grad_tall.new_zeros(*lead, height // 2 + 2, width)
    small[..., 1:-1, :].add_(even, alpha=0.75).add_(odd, alpha=0.75)
    small[..., :-2, :].add_(even, alpha=0.25)
    small[..., 2:, :].add_(odd, alpha=0.25)
    for dim in (-2, -1):  # border pixels are copies of their neighbours
        last = small.shape[dim] - 1
        small.select(dim, 1).add_(small.select(dim, 0))
        small.select(dim, last - 1).add_(small.select(dim, last))
    return small[..., 1:-1, 1:-1]

