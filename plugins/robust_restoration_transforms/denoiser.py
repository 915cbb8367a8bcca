"""Any denoiser as a purifier."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from robust_restoration.contracts import Denoiser, Purifier
from robust_restoration.errors import InputError
from robust_restoration.factory import create_denoiser
from robust_restoration.images import check_layout


class DenoiserPurifier(Purifier):
    """A denoiser in front of a classifier: ``create_purifier("denoiser:dncnn_b", weights=...)``.

    Args:
        denoiser: A denoiser's name, or any module that maps images to images.
        sigma: The noise level it is told, as a fraction of [0, 1]; required where it is not
            blind.
        weights: The denoiser's weights, where it is given by name.
        **options: Passed to the denoiser.

    Raises:
        InputError: If a denoiser that is not blind got no sigma, or images have channels it
            cannot take. A denoiser of one channel restores colour images a channel at a time.
    """

    def __init__(
        self,
        denoiser: str | nn.Module,
        *,
        sigma: float | None = None,
        weights: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if isinstance(denoiser, str):
            denoiser = create_denoiser(denoiser, weights=weights, **options)
        self.denoiser = denoiser
        self.sigma = sigma
        self.differentiable = bool(getattr(denoiser, "differentiable", True))
        if isinstance(denoiser, Denoiser) and not denoiser.blind and sigma is None:
            raise InputError(
                f"{type(denoiser).__name__} must be told the noise level: sigma=5/255, say."
            )

    def forward(self, images: Tensor) -> Tensor:
        """Denoise ``images``, (N, C, H, W) in [0, 1]."""
        check_layout(images, "images")
        count, channels, height, width = images.shape
        wanted = getattr(self.denoiser, "channels", None)
        batch = images
        if wanted == 1 and channels != 1:
            batch = images.reshape(count * channels, 1, height, width)
        elif wanted is not None:
            check_layout(images, "images", wanted)
        if isinstance(self.denoiser, Denoiser):
            out = self.denoiser(batch, self.sigma)
        else:
            out = self.denoiser(batch)
        if out.shape != batch.shape:
            raise InputError(
                f"{type(self.denoiser).__name__} made {tuple(out.shape)} of {tuple(batch.shape)}; "
                "a purifier must keep the shape."
            )
        return out.reshape(images.shape).clamp(0, 1).to(images.dtype)
