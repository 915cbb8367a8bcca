"""Large images in tiles, so that memory does not grow with their size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.autograd.graph import get_gradient_edge, saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from robust_restoration.contracts import Denoiser, frozen
from robust_restoration.contracts.randomness import PerImage, seeded
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import check_module
from robust_restoration.models.restore import Level, restore, takes_sigma

Place = tuple[Any, ...]  # an index into images
Loss = Callable[[Tensor, Place], Tensor]
GRID = 32  # tiles begin at multiples of it, as networks that pool want
AROUND = 64  # what a tile sees beyond its core on each side, in pixels, at most where none is said
KEPT = 2**28  # bytes of a tile that a network keeps for the backward pass
LEAST = 64  # side of a tile's core below which what it sees beyond it would cost too much


class Tiled(Denoiser):
    """A denoiser that sees a large image in overlapping tiles, one after the other.

    Each output pixel comes from the tile in which it lies farthest from a border that the image
    does not have. Where the overlap is at least the radius of what a pixel's output depends on,
    which is ``depth`` pixels for a DnCNN, the result is the whole image's; for networks that look
    further it is close to it. Gradients flow, and attacks keep within the memory of one tile too:
    tiles are then as small as the network needs to keep 256 MB of one at most (but not below 64
    pixels, nor above ``tile``), and are computed again in the backward pass.

    Args:
        denoiser: Any module that maps images to images.
        tile: Side of what a tile adds to the result, in pixels; a multiple of 32.
        overlap: What it sees beyond that on each side; a multiple of 32. By default it is found
            out, at the first large image, how far the network looks with its present weights:
            random pixels are put in the place of others, and what changes is measured. At most 64,
            which networks that look further get, and what gives no gradient.

    Raises:
        InputError: If tile or overlap is no multiple of 32.
    """

    adds_up = True

    def __init__(
        self, denoiser: nn.Module, *, tile: int = 512, overlap: int | None = None
    ) -> None:
        super().__init__()
        check_module(denoiser, "denoiser")
        around = AROUND if overlap is None else overlap
        if tile < GRID or around < 0 or tile % GRID or around % GRID:
            raise InputError(
                f"tile is {tile} and overlap {around}; expected multiples of {GRID}, and a "
                f"tile of at least {GRID}."
            )
        self.denoiser, self.tile, self.overlap = denoiser, tile, overlap
        self._found: dict[Any, int] = {}
        self.differentiable = getattr(denoiser, "differentiable", True)
        if isinstance(denoiser, Denoiser):
            self.channels, self.blind = denoiser.channels, denoiser.blind
            self.sigma_range = denoiser.sigma_range
        else:
            self.blind = not takes_sigma(denoiser)

    def forward(
        self,
        noisy: Tensor,
        sigma: Level = None,
        *,
        change: Tensor | None = None,
        loss: Loss | None = None,
        whole: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Restore ``noisy``, (N, C, H, W), of any size.

        Args:
            noisy: The images.
            sigma: As the denoiser takes it.
            change: What is added to them, where possible tile by tile: of a large image the sum is
                one more.
            loss: What each tile adds to a sum, (N,), given its restored pixels, (N, C, h, w), and
                their place in the image. The sum is returned then, and nothing of the size of the
                image is kept for its gradient but that.
            whole: What is returned in place of the sum, from the whole restored image, which it may
                change where that requires no gradient: the sum then gives the gradient alone.
        """
        traced = torch.is_grad_enabled() and any(
            images.requires_grad for images in (noisy, change) if images is not None
        )
        parameters = [p for p in self.parameters() if p.requires_grad]
        small = max(noisy.shape[-2:]) <= self.tile
        if traced and loss is not None and not parameters and not small:
            return cast(Tensor, _Sum.apply(self, sigma, loss, whole, noisy, change))
        if change is not None:
            noisy = noisy + change
        if small:
            restored = self._one(noisy, sigma)
        elif traced:
            restored = cast(Tensor, _WithGradient.apply(self, sigma, noisy, *parameters))
        elif loss is not None and whole is None:
            added = [
                loss(self._one(noisy[outer], sigma)[inner], core).double()
                for outer, inner, core in self._tiles(noisy, sigma)
            ]
            return sum(added[1:], added[0]).float()
        else:
            restored = torch.empty_like(noisy)
            for outer, inner, core in self._tiles(noisy, sigma):
                restored[core] = self._one(noisy[outer], sigma)[inner].to(restored.dtype)
        if whole is not None:
            return whole(restored if restored.requires_grad else restored.clone())
        return restored if loss is None else loss(restored, (...,))

    def _one(self, noisy: Tensor, sigma: Level) -> Tensor:
        return restore(self.denoiser, noisy, sigma if takes_sigma(self.denoiser) else None)

    def _tiles(
        self, images: Tensor, sigma: Level, *, gradient: bool = False
    ) -> Iterator[tuple[Place, Place, Place]]:
        """What each tile sees, which part of that it gives, and where that part goes."""
        overlap = self._reach(images, sigma) if self.overlap is None else self.overlap
        tile = self.tile
        if gradient:
            side = math.isqrt(KEPT // self._kept(images, sigma)) - 2 * overlap
            tile = min(tile, max(LEAST, side // GRID * GRID))
        height, width = images.shape[-2:]
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                rows = _span(top, height, tile, overlap)
                columns = _span(left, width, tile, overlap)
                outer, inner, core = ((..., *at) for at in zip(rows, columns, strict=True))
                yield outer, inner, core

    def _reach(self, images: Tensor, sigma: Level) -> int:
        """How far the network looks, in whole steps of the grid, at most `AROUND`."""

        def find() -> int:
            if not self.differentiable:
                return AROUND
            with torch.no_grad():
                first, *others = self._random(images, 3)
                middle = slice(AROUND, AROUND + GRID)
                block = (..., middle, middle)
                before, changed = self._one(first, sigma), torch.zeros_like(first, dtype=torch.bool)
                for other in others:
                    replaced = first.clone()
                    replaced[block] = other[block]
                    changed |= self._one(replaced, sigma) != before
            places = changed.nonzero()[:, -2:]
            if not len(places):
                return 0
            far = max(AROUND - int(places.min()), int(places.max()) - (AROUND + GRID - 1), 0)
            return min(AROUND, -(-far // GRID) * GRID)

        return self._look("reach", images, sigma, find, AROUND)

    def _kept(self, images: Tensor, sigma: Level) -> int:
        """Bytes that the network keeps of each pixel for the backward pass, at least 1."""
        own = {p.untyped_storage().data_ptr() for p in [*self.parameters(), *self.buffers()]}
        sizes: dict[int, int] = {}

        def keep(value: Tensor) -> Tensor:
            storage = value.untyped_storage()
            if storage.data_ptr() not in own:
                sizes[storage.data_ptr()] = storage.nbytes()
            return value.detach()  # with its history it would keep itself alive

        def find() -> int:
            (image,) = self._random(images, 1)
            with torch.enable_grad(), saved_tensors_hooks(keep, lambda value: value):
                restored = self._one(image.requires_grad_(), sigma)
            pixels = restored[0, 0].numel()  # it holds what was kept until here
            return max(1, sum(sizes.values()) // pixels)

        return self._look("kept", images, sigma, find, 16 * 2**10)

    def _random(self, images: Tensor, count: int) -> list[Tensor]:
        side, draw = GRID + 2 * AROUND, torch.Generator().manual_seed(0)
        shape = (1, images.shape[1], side, side)
        return [torch.rand(shape, generator=draw).to(images) for _ in range(count)]

    def _look(
        self, what: str, images: Tensor, sigma: Level, find: Callable[[], int], otherwise: int
    ) -> int:
        """What is found out of the network once; the same whatever ran before, and unnoticed."""
        kind, parts = images.device.type, [*self.parameters(), *self.buffers()]
        weights = hash(tuple((p.data_ptr(), p.is_inference() or p._version) for p in parts))
        key = (what, images.shape[1], images.dtype, torch.is_autocast_enabled(kind), weights)
        if key not in self._found:
            self._found = {old: value for old, value in self._found.items() if old[-1] == weights}
            with frozen(self.denoiser), seeded(0, 0, images.device), PerImage(0, [0]):
                try:
                    self._found[key] = find()
                except Exception:  # what is wrong shows again on the image itself
                    self._found[key] = otherwise
        return self._found[key]


def _span(start: int, side: int, tile: int, overlap: int) -> tuple[slice, slice, slice]:
    first = max(0, start - overlap)
    last = min(side, start + tile + overlap)
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
        for outer, inner, core in tiled._tiles(noisy, sigma, gradient=True):
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
        for outer, inner, core in tiled._tiles(noisy, ctx.sigma, gradient=True):
            found = checkpoint(tiled._one, noisy[outer], ctx.sigma, use_reentrant=False)
            rows[core] = found[inner].to(rows.dtype)
        return torch.autograd.grad(
            rows, [noisy, *parameters], gradient, create_graph=True, allow_unused=True
        )


class _Sum(torch.autograd.Function):
    """A sum over tiles, each one's gradient taken at once, so that no tile is computed twice."""

    @staticmethod
    def forward(
        ctx: Any,
        tiled: Tiled,
        sigma: Level,
        loss: Loss,
        whole_loss: Callable[[Tensor], Tensor] | None,
        noisy: Tensor,
        change: Tensor | None,
    ) -> Tensor:
        def seen(outer: Place) -> Tensor:
            part = noisy[outer] if change is None else noisy[outer] + change[outer]
            return part.detach().requires_grad_()

        tiles = list(tiled._tiles(noisy, sigma, gradient=True))
        value = None
        if whole_loss is not None:  # before the gradient is there, so as not to hold both
            restored = torch.empty_like(noisy)
            for outer, inner, core in tiles:
                part = seen(outer)
                with torch.enable_grad():
                    found = tiled._one(part, sigma)[inner].detach()
                restored[core] = found.to(restored.dtype)
            value = whole_loss(restored)
            del restored, found, part
        whole, added, leads = torch.zeros_like(noisy), [], False
        # From the last to the first, as a backward pass goes: the same gradient to the bit.
        for outer, inner, core in reversed(tiles):
            part = seen(outer)
            with torch.enable_grad():
                values = loss(tiled._one(part, sigma)[inner], core)
                summed = values.sum()
            added.append(values.detach().double())
            if summed.requires_grad:
                (found,) = torch.autograd.grad(summed, part, allow_unused=True)
                del values, summed  # with what the network kept
                if found is not None:
                    whole[outer] += found
                    leads = True
        result = torch.stack(added).sum(0).float() if value is None else value
        ctx.save_for_backward(whole)
        if not leads:  # the caller is to see that there is no gradient
            ctx.mark_non_differentiable(result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (whole,) = ctx.saved_tensors
        each = gradients[0].view(-1, 1, 1, 1).to(whole)
        found = whole if bool((each == 1).all()) else whole * each
        return *[None] * 4, *(found if asked else None for asked in ctx.needs_input_grad[4:])
