"""What most studies look at: images with noise, and what an attack on a denoiser makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack, Denoiser
from robust_restoration.data import load_images
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.models.create import create_attack
from robust_restoration.models.restore import conditioning, quality, restored
from robust_restoration.numbers import check_level, parse_attack
from robust_restoration.plugins.registry import registry

from .watching import watched

PAPER = "denoising_pgd target=noisy eps=0.012"


@dataclass(frozen=True)
class Scene:
    """One image, all of it (1, C, H, W).

    Attributes:
        number: Its number in the set.
        name: Its name.
        clean: Without noise, in [0, 1].
        noisy: With Gaussian noise, not clipped.
        attacked: The noisy image, attacked.
    """

    number: int
    name: str
    clean: Tensor
    noisy: Tensor
    attacked: Tensor


class Scenes:
    """The images of a set, one by one, with noise and attacked.

    Args:
        denoiser: What is attacked; it also says how many channels the images have.
        data: As `load_images` takes it.
        attack: An attack's name with its options in one text, written as everywhere:
            ``"denoising_pgd target=noisy clip=paper eps=3"``.
        sigma: Level of the Gaussian noise, as a fraction of [0, 1]; told to a denoiser that is not
            blind.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        seed: Of noise and random starts.

    Raises:
        InputError: If the attack or the level cannot be read, or the data cannot be used.
    """

    def __init__(
        self,
        denoiser: nn.Module,
        data: Any,
        *,
        attack: str = PAPER,
        sigma: float = 25 / 255,
        limit: int | None = None,
        root: Path | str | None = None,
        seed: int = 0,
    ) -> None:
        self.denoiser, self.sigma, self.seed, self.word = denoiser, sigma, seed, attack
        check_level("sigma", sigma)
        self.attack = attack_on(denoiser, attack, sigma, seed)
        channels = denoiser.channels if isinstance(denoiser, Denoiser) else None
        self.images = load_images(data, root=root, channels=channels, limit=limit)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Scene]:
        return map(self.scene, self.numbers())

    def numbers(self) -> Iterator[int]:
        """The images' numbers, with a bar for whoever waits."""
        return watched(range(len(self)), "images")

    def pair(self, number: int) -> tuple[Tensor, Tensor]:
        """An image with its noise, and without, each (1, C, H, W)."""
        device = next(self.denoiser.parameters(), torch.zeros(())).device
        noisy, clean, _ = self.images.pair([number], Gaussian(self.sigma), seed=self.seed)
        return noisy.to(device), clean.to(device)

    def scene(self, number: int) -> Scene:
        """An image with its noise, attacked."""
        noisy, clean = self.pair(number)
        attacked = self.attack(noisy, clean, index=number)
        return Scene(number, self.images.names[number], clean, noisy, attacked)

    def restored(self, images: Tensor, denoiser: nn.Module | None = None) -> Tensor:
        """Restored images (N, C, H, W), 16 at a time; by default by what is attacked."""
        denoiser = self.denoiser if denoiser is None else denoiser
        level = conditioning(denoiser, self.sigma)
        return torch.cat([restored(denoiser, part, level) for part in images.split(16)])

    def psnr(self, images: Tensor, clean: Tensor, denoiser: nn.Module | None = None) -> Tensor:
        """(N,) PSNR in dB of restored images, 16 at a time.

        Args:
            images: (N, C, H, W).
            clean: The clean image that they all come of, (1, C, H, W) or (C, H, W).
            denoiser: What restores them; by default what is attacked.
        """
        after = self.restored(images, denoiser)
        return quality(after, clean.expand_as(images)).cpu().double()

    def settings(self, **more: Any) -> dict[str, Any]:
        """What was looked at, for result files."""
        known = {"data": self.images.name, "images": len(self), "attack": self.word}
        return {**known, "sigma": self.sigma, "seed": self.seed, **more}


def attack_on(denoiser: nn.Module, word: str, sigma: float | None, seed: int) -> Attack:
    """The attack that a text names, on a denoiser that is told a level.

    Args:
        denoiser: What is attacked.
        word: The attack's name with its options, such as ``"denoising_pgd eps=3"``.
        sigma: Level of the noise.
        seed: Of random starts, where the text names none.

    Raises:
        UnknownNameError: If there is no such attack.
        InputError: If an option is not one of it.
    """
    name, options = parse_attack(word)
    usual = registry().accepted("attacks", name, {"seed": seed})
    made: Attack = create_attack(
        name, denoiser, **{"sigma": conditioning(denoiser, sigma), **usual, **options}
    )
    return made
