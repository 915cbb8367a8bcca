"""Any denoiser as a purifier."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser, Purifier
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout, check_made
from robust_restoration.models.create import create_denoiser
from robust_restoration.numbers import check_level, check_positive


class DenoiserPurifier(Purifier):
    """A denoiser in front of a classifier, such as ``create_purifier("denoiser:dncnn_b")``.

    It works in the precision of the denoiser's parameters; borders are padded as the denoiser pads
    them. A denoiser of one channel restores colour images a channel at a time.

    Args:
        denoiser: A denoiser's name, or any module that maps images to images. One that is created
            by name is put in eval mode; a module is taken as it is.
        sigma: The noise level it is told, as a fraction of [0, 1], above 0; required where it is
            not blind. A module that is not a `Denoiser` cannot be told any.
        weights: The denoiser's weights, where it is given by name.
        **options: Passed to the denoiser, where it is given by name.

    Attributes:
        channels: How many channels images must have; ``None`` for any number.
        options: What it was built with, less ``weights``: saved weights take their place.

    Raises:
        InputError: If a denoiser that is not blind got no sigma, sigma is no such level, or weights
            or options came with a module; when called, if images have channels it cannot take.
        UnknownNameError: If no plugin offers a denoiser of that name.
        WeightsError: If the weights do not exist or do not fit.
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
        if sigma is not None:
            check_positive("sigma", sigma, "a fraction of [0, 1], such as 5/255")
            sigma = check_level("sigma", sigma)
        self.options: dict[str, Any] = {"sigma": sigma}
        if isinstance(denoiser, str):
            denoiser = create_denoiser(denoiser, weights=weights, **options).eval()
            # What the weights' file said of the architecture counts as well.
            self.options = {**options, **getattr(denoiser, "options", {}), "sigma": sigma}
        elif not isinstance(denoiser, nn.Module):
            raise InputError(
                f"denoiser is a {type(denoiser).__name__}; expected a denoiser's name or a module."
            )
        elif weights is not None or options:
            given = ", ".join(["weights"] * (weights is not None) + sorted(options))
            raise InputError(
                f"{given} came with a module; they go with a denoiser's name. Set them on the "
                "module itself."
            )
        name = type(denoiser).__name__
        self.told = isinstance(denoiser, Denoiser)
        if sigma is not None and not self.told:
            raise InputError(
                f"{name} is not a Denoiser, so it cannot be told sigma; leave sigma away, or "
                "make it a subclass of robust_restoration.Denoiser."
            )
        if isinstance(denoiser, Denoiser) and not denoiser.blind and sigma is None:
            raise InputError(f"{name} needs the noise level: sigma=5/255, say.")
        self.denoiser = denoiser
        self.sigma = sigma
        self.random = bool(getattr(denoiser, "random", False))
        self.differentiable = bool(getattr(denoiser, "differentiable", True))
        # A plain module's `channels`, if it has one, may be anything, such as a U-Net's widths.
        takes = denoiser.channels if isinstance(denoiser, Denoiser) else None
        self.one_by_one = takes == 1
        self.channels = None if self.one_by_one else takes

    def forward(self, images: Tensor) -> Tensor:
        """Denoise ``images``, (N, C, H, W) in [0, 1]."""
        check_layout(images, "images", self.channels)
        batch = images.flatten(0, 1).unsqueeze(1) if self.one_by_one else images
        dtype = next((p.dtype for p in self.denoiser.parameters()), images.dtype)
        with torch.set_grad_enabled(self.differentiable and torch.is_grad_enabled()):
            batch = batch.to(dtype)
            out = self.denoiser(batch, self.sigma) if self.told else self.denoiser(batch)
        check_made(out, batch, type(self.denoiser).__name__, "a purifier must keep the shape")
        return out.reshape(images.shape).clamp(0, 1).to(images.dtype)
