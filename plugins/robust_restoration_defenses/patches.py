"""Patches cut from images in memory, as a denoiser's training draws them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from robust_restoration.contracts import Batch
from robust_restoration.data import load_images
from robust_restoration.errors import InputError
from robust_restoration.images.pixels import as_float

Corrupt = Callable[[Tensor, Generator], Batch]


class Patches:
    """Random squares of images, turned and mirrored, at several scales.

    Images stay in memory as 8-bit integers; a batch is cut when it is drawn. One sample is one
    image, so an epoch of the loop sees each image once: what is cut from it is random. Where the
    data have real noisy images, these are cut at the same places, and nothing is added to them.

    Args:
        data: What `robust_restoration.load_images` takes: a name, a folder, tensors.
        side: Side of the squares, in pixels.
        scales: Factors by which images are scaled (bicubic) before squares are cut; each square
            draws one. The denoising literature: 1, 0.9, 0.8, 0.7.
        augment: Turn by multiples of 90 degrees and mirror, at random: the eight-fold augmentation.
        corrupt: What adds noise to a batch (see `DenoisingDefense.corrupt`).
        channels: 1 for gray, 3 for colour; the images' own by default.
        root: Where named data sets lie.

    Raises:
        InputError: If an image is smaller than a square at the smallest scale, or real noise would
            be scaled, which changes it.
    """

    def __init__(
        self,
        data: Any,
        *,
        side: int = 50,
        scales: Sequence[float] = (1.0,),
        augment: bool = True,
        corrupt: Corrupt | None = None,
        channels: int | None = None,
        root: Any = None,
    ) -> None:
        images = load_images(data, channels=channels, root=root)
        self.name = images.name
        self.names = list(images.names)
        if side < 1 or not scales or min(scales) <= 0:
            raise InputError(f"side is {side} and scales {scales}; expected numbers above 0.")
        self.side, self.scales, self.augment, self.corrupt = side, tuple(scales), augment, corrupt
        self.images = [
            [_scaled(image, scale) for scale in self.scales] for image in images.clean
        ]
        self.noisy = None if images.noisy is None else list(images.noisy)
        if self.noisy is not None and self.scales != (1,):
            raise InputError(
                f"{self.name} has real noisy images and scales is {self.scales}; expected (1.0,): "
                "scaling would change the noise."
            )
        self._check_sizes()

    def _check_sizes(self) -> None:
        for name, sizes in zip(self.names, self.images, strict=True):
            smallest = min(min(image.shape[-2:]) for image in sizes)
            if smallest < self.side:
                raise InputError(
                    f"{name} has a side of {smallest} pixels at scale {min(self.scales):g}; "
                    f"expected "
                    f"at least {self.side}, the patches' side. Use smaller patches."
                )

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: Tensor | Sequence[int]) -> Patches:
        """The same of some of the images."""
        chosen = [int(i) for i in indices]
        part = object.__new__(Patches)
        part.__dict__.update(self.__dict__)
        part.names = [self.names[i] for i in chosen]
        part.images = [self.images[i] for i in chosen]
        part.noisy = None if self.noisy is None else [self.noisy[i] for i in chosen]
        return part

    def corrupted(self, corrupt: Corrupt) -> Patches:
        """The same with noise from another function; this one stays as it is."""
        part = self.subset(range(len(self)))
        part.corrupt = corrupt
        return part

    def fingerprint(self) -> str:
        """A short hash of all pixels: whether a run goes on with the images it was begun with."""
        digest = hashlib.sha256()
        for image in (*(i for sizes in self.images for i in sizes), *(self.noisy or [])):
            digest.update(f"{image.dtype} {tuple(image.shape)} ".encode())
            digest.update(image.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def split(self, val_fraction: float, seed: int = 0) -> tuple[Patches, Patches | None]:
        """Training and validation patches, of different images.

        Args:
            val_fraction: The share of the images that is held out, at most 64 images.
            seed: Decides which.
        """
        count = min(round(len(self) * val_fraction), 64)
        if not count:
            return self, None
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        validation = self.subset(order[:count])
        validation.augment = False
        return self.subset(order[count:].sort().values), validation

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """One square of each image at ``indices``: ``clean`` (B, C, side, side), and ``noisy``."""
        count = len(indices)
        scale = torch.randint(len(self.scales), (count,), generator=generator).tolist()
        where = torch.rand(count, 2, generator=generator).tolist()
        turns = torch.randint(8, (count,), generator=generator).tolist()
        squares: list[Tensor] = []
        noisy: list[Tensor] = []
        for index, chosen, (down, right), turn in zip(
            indices.tolist(), scale, where, turns, strict=True
        ):
            image = self.images[index][chosen]
            top = int(down * (image.shape[-2] - self.side + 1))
            left = int(right * (image.shape[-1] - self.side + 1))
            sources = [(image, squares)]
            if self.noisy is not None:
                sources.append((self.noisy[index], noisy))
            for source, kept in sources:
                square = source[:, top : top + self.side, left : left + self.side]
                kept.append(_turned(square, turn) if self.augment else square)
        clean = as_float(torch.stack(squares))
        if noisy:
            return {"clean": clean, "noisy": as_float(torch.stack(noisy))}
        return {"clean": clean, **(self.corrupt(clean, generator) if self.corrupt else {})}


def _turned(square: Tensor, turn: int) -> Tensor:
    """One of the eight turned and mirrored forms of a square."""
    square = torch.rot90(square, turn % 4, (1, 2))
    return square.flip(2) if turn >= 4 else square


def _scaled(image: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    eight_bit = image.dtype == torch.uint8
    pixels = image.float() / 255 if eight_bit else image
    small = F.interpolate(pixels[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)
    return (small * 255).round().to(torch.uint8) if eight_bit else small
