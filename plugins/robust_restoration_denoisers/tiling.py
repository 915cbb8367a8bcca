"""Large images in tiles, so that memory does not grow with their size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.utils.checkpoint import checkpoint

from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import check_module
from robust_restoration.models.restore import Level, restore, takes_sigma

Place = tuple[Any, ...]  # an index into images
GRID = 32  # tiles begin at multiples of it, as networks that pool want
WITH_GRADIENT = 160  # a tile's side where a network keeps all it computed for the backward pass


class Tiled(Denoiser):
    """A denoiser that sees a large image in overlapping tiles, one after the other.

    Each output pixel comes from the tile in which it lies farthest from a border that the image
    does not have. Where the overlap is at least the radius of what a pixel's output depends on,
    which is ``depth`` pixels for a DnCNN, the result is the whole image's; for networks that look
    further it is close to it. Gradients flow: tiles, of at most 160 pixels then, are computed again
    in the backward pass, so that attacks keep within the memory of one tile too.

    Args:
        denoiser: Any module that maps images to images.
        tile: Side of what a tile adds to the result, in pixels; a multiple of 32.
        overlap: What it sees beyond that on each side; a multiple of 32.

    Raises:
        InputError: If tile or overlap is no multiple of 32.
    """

    def __init__(self, denoiser: nn.Module, *, tile: int = 512, overlap: int = 64) -> None:
        super().__init__()
        check_module(denoiser, "denoiser")
        if tile < GRID or overlap < 0 or tile % GRID or overlap % GRID:
            raise InputError(
                f"tile is {tile} and overlap {overlap}; expected multiples of {GRID}, and a "
                f"tile of "
                f"at least {GRID}."
            )
        self.denoiser, self.tile, self.overlap = denoiser, tile, overlap
        self.differentiable = getattr(denoiser, "differentiable", True)
        if isinstance(denoiser, Denoiser):
            self.channels, self.blind = denoiser.channels, denoiser.blind
            self.sigma_range = denoiser.sigma_range
        else:
            self.blind = not takes_sigma(denoiser)

    def forward(self, noisy: Tensor, sigma: Level = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W), of any size."""
        if max(noisy.shape[-2:]) <= self.tile:
            return self._one(noisy, sigma)
        if torch.is_grad_enabled() and noisy.requires_grad:
            parameters = [p for p in self.parameters() if p.requires_grad]
            return cast(Tensor, _WithGradient.apply(self, sigma, noisy, *parameters))
        restored = torch.empty_like(noisy)
        for outer, inner, core in self._tiles(noisy, self.tile):
            found = self._one(noisy[outer], sigma)
            restored[core] = found[inner].to(restored.dtype)
        return restored

    def _one(self, noisy: Tensor, sigma: Level) -> Tensor:
        return restore(self.denoiser, noisy, sigma if takes_sigma(self.denoiser) else None)

    def _tiles(self, images: Tensor, tile: int) -> Iterator[tuple[Place, Place, Place]]:
        """What each tile sees, which part of that it gives, and where that part goes."""
        height, width = images.shape[-2:]
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                rows = self._span(top, height, tile)
                columns = self._span(left, width, tile)
                outer, inner, core = ((..., *at) for at in zip(rows, columns, strict=True))
                yield outer, inner, core

    def _span(self, start: int, side: int, tile: int) -> tuple[slice, slice, slice]:
        first = max(0, start - self.overlap)
        last = min(side, start + tile + self.overlap)
        end = min(side, start + tile)
        return slice(first, last), slice(start - first, end - first), slice(start, end)


class _WithGradient(torch.autograd.Function):
    """Tiles that write into one image, and add their gradients up in one.

    Slices of autograd's own would do it too, each with copies of the whole image of its own.
    """

    @staticmethod
    def forward(
        ctx: Any, tiled: Tiled, sigma: Level, noisy: Tensor, *parameters: Tensor
    ) -> Tensor:
        restored = torch.empty_like(noisy)
        ctx.tiled, ctx.sigma, ctx.tiles = tiled, sigma, []
        ctx.save_for_backward(noisy, *parameters)
        for outer, inner, core in tiled._tiles(noisy, min(tiled.tile, WITH_GRADIENT)):
            part = noisy[outer].detach().requires_grad_()
            with torch.enable_grad():
                found = checkpoint(tiled._one, part, sigma, use_reentrant=False)
                found = found[inner].to(restored.dtype)
            restored[core] = found
            if found.requires_grad:
                ctx.tiles.append((get_gradient_edge(found), part, outer, core))
        if not ctx.tiles:  # the caller is to see that there is no gradient
            ctx.mark_non_differentiable(restored)
        return restored

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        noisy, *parameters = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of the gradient is wanted
            return None, None, *_WithGradient._again(ctx, noisy, parameters, gradients[0])
        total = torch.zeros_like(noisy)
        sums: list[Tensor | None] = [None] * len(parameters)
        for edge, part, outer, core in reversed(ctx.tiles):
            found, *others = torch.autograd.grad(
                edge, [part, *parameters], gradients[0][core], retain_graph=True, allow_unused=True
            )
            if found is not None:
                total[outer] += found
            for place, other in enumerate(others):
                if other is not None:
                    former = sums[place]
                    sums[place] = other if former is None else former + other
        return None, None, total, *sums

    @staticmethod
    def _again(
        ctx: Any, noisy: Tensor, parameters: list[Tensor], gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        """The gradients, with a graph of their own through slices of the whole image."""
        rows, tiled = torch.zeros_like(noisy), ctx.tiled
        for outer, inner, core in tiled._tiles(noisy, min(tiled.tile, WITH_GRADIENT)):
            found = checkpoint(tiled._one, noisy[outer], ctx.sigma, use_reentrant=False)
            rows[core] = found[inner].to(rows.dtype)
        return torch.autograd.grad(
            rows, [noisy, *parameters], gradient, create_graph=True, allow_unused=True
        )
