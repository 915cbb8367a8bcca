"""Large images in tiles, so that memory does not grow with their size."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import check_module
from robust_restoration.models.restore import Level, restore, takes_sigma

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
        restored = torch.empty_like(noisy)
        gradient = torch.is_grad_enabled() and noisy.requires_grad
        tile = min(self.tile, WITH_GRADIENT) if gradient else self.tile
        height, width = noisy.shape[-2:]
        for outer, inner, core in self._tiles(height, width, tile):
            part = noisy[..., outer[0], outer[1]]
            if gradient:
                found = checkpoint(self._one, part, sigma, use_reentrant=False)
            else:
                found = self._one(part, sigma)
            restored[..., core[0], core[1]] = found[..., inner[0], inner[1]].to(restored.dtype)
        return restored

    def _one(self, noisy: Tensor, sigma: Level) -> Tensor:
        return restore(self.denoiser, noisy, sigma if takes_sigma(self.denoiser) else None)

    def _tiles(
        self, height: int, width: int, tile: int
    ) -> Iterator[tuple[tuple[slice, slice], ...]]:
        """What each tile sees, which part of that it gives, and where that part goes."""
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                rows = self._span(top, height, tile)
                columns = self._span(left, width, tile)
                yield tuple(zip(rows, columns, strict=True))

    def _span(self, start: int, side: int, tile: int) -> tuple[slice, slice, slice]:
        first = max(0, start - self.overlap)
        last = min(side, start + tile + self.overlap)
        end = min(side, start + tile)
        return slice(first, last), slice(start - first, end - first), slice(start, end)
