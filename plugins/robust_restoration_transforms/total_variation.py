"""Total variation minimisation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_count, check_positive

from .precision import full_precision


class TotalVariation(Purifier):
    """Chambolle's total variation denoising, all channels of an image together.

    Guo et al., arXiv:1711.00117, minimise it on dropped pixels; this is scikit-image's
    ``denoise_tv_chambolle`` on all of them, on the CPU and an image at a time. Nothing is padded:
    differences across the image's border do not count.

    Args:
        weight: How strongly variation is penalised, above 0; larger is smoother.
        iterations: The most it may take, 1 or more.

    Raises:
        InputError: If the weight is not above 0, or the iterations not a whole number from 1 on.
    """

    differentiable = False

    def __init__(self, *, weight: float = 0.03, iterations: int = 100) -> None:
        super().__init__()
        self.weight = check_positive("weight", weight, "larger is smoother")
        self.iterations = check_count("iterations", iterations, 1)
        self.options = {"weight": self.weight, "iterations": self.iterations}

    def forward(self, images: Tensor) -> Tensor:
        """Smooth ``images``, (N, C, H, W) in [0, 1]; the result carries no gradients."""
        from skimage.restoration import denoise_tv_chambolle

        check_layout(images, "images")
        with full_precision(images.detach()) as values:
            smooth = [
                denoise_tv_chambolle(
                    image, weight=self.weight, max_num_iter=self.iterations, channel_axis=0
                )
                for image in values.cpu().numpy()
            ]
        out = torch.from_numpy(np.stack(smooth)).clamp(0, 1)
        return out.to(images.device, images.dtype)
