"""Images to restore, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from robust_restoration.contracts import Degradation, Given
from robust_restoration.errors import InputError
from robust_restoration.images.pixels import as_float


@dataclass
class RestorationImages:
    """Images to restore, in memory; their sizes may differ.

    Attributes:
        name: What tables call them.
        clean: One (C, H, W) tensor an image: uint8, or float32 in [0, 1] where 8 bits would
            lose something (16-bit files).
        names: One name an image: its file's path within the folder, without suffix.
        noisy: Their noisy counterparts, for sets of real noise; else ``None``.
        damaged: What could not be read, one sentence a file.
    """

    name: str
    clean: list[Tensor]
    names: list[str]
    noisy: list[Tensor] | None = None
    damaged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        counts = [len(self.clean), len(self.names)]
        counts += [] if self.noisy is None else [len(self.noisy)]
        if len(set(counts)) > 1:
            raise InputError(
                f"{self.name}: clean, names and noisy have lengths {counts}; expected equal ones."
            )

    def __len__(self) -> int:
        return len(self.clean)

    def image(self, index: int) -> Tensor:
        """(C, H, W) float32 in [0, 1]."""
        return as_float(self.clean[index])

    def noisy_image(self, index: int) -> Tensor:
        """(C, H, W) float32 in [0, 1], the noisy counterpart.

        Raises:
            InputError: If the set has no real noise.
        """
        if self.noisy is None:
            raise InputError(
                f"{self.name} holds clean images only; add noise with a model of "
                "robust_restoration.create_noise."
            )
        return as_float(self.noisy[index])

    def pair(
        self, indices: Sequence[int], degradation: Degradation | None, *, seed: int
    ) -> tuple[Tensor, Tensor, Given]:
        """Observed and clean images, each of one size, (N, C, H, W).

        Args:
            indices: Which.
            degradation: What spoils the clean ones, such as a noise model; ``None`` for the set's
                real noise.
            seed: Of the degradation: what an image becomes depends on it and on the image's number
                alone.

        Returns:
            Observed images, clean images, and what the degradation gives of them, such as
            ``{"sigma": (N,)}``; real noise gives nothing.

        Raises:
            InputError: If there is no degradation and the set has no real noise.
        """
        clean = torch.stack([self.image(i) for i in indices])
        if degradation is None:
            return torch.stack([self.noisy_image(i) for i in indices]), clean, {}
        observed, given = degradation(clean, seed=seed, index=indices)
        return observed, clean, given

    def subset(self, indices: Tensor | Sequence[int] | slice) -> RestorationImages:
        """The images at ``indices``."""
        if isinstance(indices, slice):
            chosen = list(range(len(self)))[indices]
        else:
            chosen = [int(i) for i in indices]
        return RestorationImages(
            self.name,
            [self.clean[i] for i in chosen],
            [self.names[i] for i in chosen],
            None if self.noisy is None else [self.noisy[i] for i in chosen],
        )

    def fingerprint(self) -> str:
        """A short hash of all pixels, for naming what is derived from them."""
        digest = hashlib.sha256()
        for images in (self.clean, self.noisy or []):
            digest.update(f"{len(images)} ".encode())
            for image in images:
                digest.update(f"{image.dtype} {tuple(image.shape)} ".encode())
                digest.update(image.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]
