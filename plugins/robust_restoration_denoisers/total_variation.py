"""Total variation: Rudin, Osher and Fatemi's denoiser, with scikit-image's solver."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count, check_positive

from .sigma import sigma_per_image

ROUNDS = 12  # the level is met to a percent after about eight


class TotalVariation(Denoiser):
    """The image of least total variation that lies as far from the noisy one as the noise says.

    Minimises TV(u) subject to mean (u - y)^2 = (``share`` sigma)^2 (Rudin, Osher, Fatemi, Physica
    D 60 (1992), 259-268, equations 2.2), all channels together. scikit-image's Chambolle solver
    takes a weight; the weight that meets the constraint is found as in section 4 of Chambolle's
    paper (JMIV 20 (2004), 89-97), by scaling it with the ratio of what is wanted to what is found.
    On the CPU, an image at a time, in double precision; no gradients flow through it.

    Args:
        share: What part of the noise's length is removed. 1 is the theory; less is less smooth.
        iterations: The most that one solution may take.

    Raises:
        InputError: If an option is out of range.
    """

    blind = False
    differentiable = False

    def __init__(self, *, share: float = 1.0, iterations: int = 100) -> None:
        super().__init__()
        self.share = check_positive("share", share, "1 removes as much as there is noise")
        self.iterations = check_count("iterations", iterations)
        self.options: dict[str, Any] = {"share": self.share, "iterations": self.iterations}

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``.

        Args:
            noisy: (N, C, H, W).
            sigma: Noise level as a fraction of the range, a float or (N,).

        Returns:
            (N, C, H, W), without gradients.

        Raises:
            InputError: If ``sigma`` is missing or no level, or ``noisy`` of another layout.
        """
        check_layout(noisy, "noisy")
        levels = sigma_per_image(sigma, noisy, denoiser="TotalVariation").tolist()
        images = noisy.detach().double().cpu().numpy()
        restored = [self._restore(x, level) for x, level in zip(images, levels, strict=True)]
        return torch.from_numpy(np.stack(restored)).to(noisy)

    def _restore(self, image: np.ndarray, sigma: float) -> np.ndarray:
        """One image, (C, H, W)."""
        from skimage.restoration import denoise_tv_chambolle

        wanted = self.share * sigma
        if wanted == 0:
            return image
        flat = np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape)
        if float(np.sqrt(np.mean((image - flat) ** 2))) <= wanted:
            return flat  # no smoothing goes further from the image
        weight = wanted
        for _ in range(ROUNDS):
            smooth = denoise_tv_chambolle(
                image, weight=weight, max_num_iter=self.iterations, eps=1e-5, channel_axis=0
            )
            found = float(np.sqrt(np.mean((smooth - image) ** 2)))
            if abs(found / wanted - 1) < 0.01 or found == 0:
                break
            weight *= wanted / found
        return np.asarray(smooth)
