"""What the ways of training a denoiser have in common: noise, its levels, validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from robust_restoration.contracts import (
    Batch,
    Defense,
    Degradation,
    Denoiser,
    TrainingSet,
    unwrapped,
)
from robust_restoration.data import load_images
from robust_restoration.degradations.names import parse_noise
from robust_restoration.degradations.noise import Clip, check_clip, clipped
from robust_restoration.errors import InputError
from robust_restoration.images.metrics import psnr
from robust_restoration.models.restore import restore
from robust_restoration.numbers import check_count, check_levels

from .patches import Patches

LEVELS = (0.0, 25 / 255)
OBSERVED = ("noisy", "target")  # of a batch: what was seen through noise


class DenoisingDefense(Defense):
    """Base of the ways of training a denoiser; a subclass writes `loss`.

    A batch holds ``clean`` (B, C, H, W) in [0, 1] and what `corrupt` adds to it. Noise is drawn
    with the batch, before it is split over processes, so that a sample's noise is the same
    whatever the number of them.

    Args:
        sigma: The noise level, or the lowest and highest one: each image draws its own, evenly
            between them (the ObsAtk paper: 0 to 25/255).
        noise: Another noise than Gaussian: a noise model, or a word such as ``"poisson:30"``;
            ``sigma`` is then the level given to a denoiser that takes one.
        patch: Side of the squares that are cut from the images.
        scales: Factors by which images are scaled first; each square draws one.
        clip: What becomes of noisy images that leave the range, in training and in validation
            alike, as in `robust_restoration.degradations.noise.Noise`: ``None`` leaves them;
            ``(0, 1)`` clamps them, as the ObsAtk paper's code does; ``"released"`` cuts them to
            8 bits as well. Evaluate with the same: ``noise="gaussian:25,clip=0..1"``.

    Raises:
        InputError: If ``sigma`` is not a level or a pair of levels, or ``clip`` is no range.
    """

    def __init__(
        self,
        *,
        sigma: float | Sequence[float] = LEVELS,
        noise: Degradation | str | None = None,
        patch: int = 50,
        scales: Sequence[float] = (1.0,),
        clip: Clip = None,
    ) -> None:
        check_clip(clip)
        self.clip = clip if clip is None or isinstance(clip, str) else (clip[0], clip[1])
        self.levels = check_levels("sigma", sigma)
        self.noise = parse_noise(noise) if isinstance(noise, str) else noise
        self.patch, self.scales = check_count("patch", patch), tuple(scales)

    def prepare(
        self,
        data: Any,
        *,
        model: nn.Module | None = None,
        val_fraction: float = 0.05,
        progress: bool = True,
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Patches of images, with noise, and a share of the *images* held out for validation.

        Args:
            data: Anything `robust_restoration.load_images` takes, or `Patches`. Sets of real noise
                are trained on as they are, noisy image and clean one.
            model: Decides whether images are made gray or colour.
            val_fraction: The share of the images that is held out.
            progress: Not used: nothing here takes long.

        Raises:
            InputError: If the data have real noise and this defense brings noise of its own.
        """
        if isinstance(data, TrainingSet) and not isinstance(data, Patches):
            return data, None
        if not isinstance(data, Patches):
            inner = None if model is None else unwrapped(model)
            # A plain module's `channels`, if it has one, may be anything.
            channels = inner.channels if isinstance(inner, Denoiser) else None
            images = load_images(data, channels=channels)
            data = Patches(images, side=self.patch, scales=self.scales)
        own_noise = self.noise is not None or type(self).corrupt is not DenoisingDefense.corrupt
        if data.noisy is not None and own_noise:
            raise InputError(
                f"{data.name} has real noisy images, and this defense brings noise of its own: "
                "hand it the clean images alone, dataclasses.replace(images, noisy=None)."
            )
        return data.corrupted(self.observe).split(val_fraction)

    def observe(self, clean: Tensor, generator: Generator) -> Batch:
        """What `corrupt` gives, with its images clipped as ``clip`` says: all that is trained on.

        Args:
            clean: (B, C, H, W).
            generator: Where all random numbers come from.
        """
        batch = self.corrupt(clean, generator)
        images = {name: clipped(batch[name], self.clip) for name in OBSERVED if name in batch}
        return {**batch, **images}

    def corrupt(self, clean: Tensor, generator: Generator) -> Batch:
        """Noise for a batch.

        Args:
            clean: (B, C, H, W).
            generator: Where all random numbers come from.

        Returns:
            ``noisy`` (B, C, H, W), not clipped, and ``sigma`` (B,), the level of each image.
        """
        low, high = self.levels
        sigma = low + (high - low) * torch.rand(len(clean), generator=generator)
        if self.noise is not None:
            return {"noisy": self.noise(clean, generator=generator)[0], "sigma": sigma}
        draw = torch.randn(clean.shape, generator=generator)
        return {"noisy": clean + sigma.view(-1, 1, 1, 1) * draw, "sigma": sigma}

    def restore(self, model: nn.Module, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """The model's output in float32; a model that takes a level is given it."""
        return restore(model, noisy, sigma).float()

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Mean PSNR of restored held-out patches, in dB, with the noise of training."""
        restored = self.restore(model, batch["noisy"], batch.get("sigma"))
        # Patches may be restored exactly, which is infinite: 60 dB counts as perfect.
        return {"psnr": float(psnr(restored, batch["clean"]).clamp(max=60).mean())}


def half_mean_square(restored: Tensor, expected: Tensor) -> Tensor:
    """Sum of squared errors over an image, halved, averaged over the batch: SSE / (2B)."""
    return (restored - expected).square().sum() / (2 * len(expected))
