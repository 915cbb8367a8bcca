"""Total variation minimisation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images import check_layout


class TotalVariation(Purifier):
    """Chambolle's total variation denoising, all channels of an image together.

    Guo et al., arXiv:1711.00117, minimise it on dropped pixels; this is scikit-image's
    ``denoise_tv_chambolle`` on all of them.

    Args:
        weight: How strongly variation is penalised; larger is smoother.
        iterations: The most it may take.

    Raises:
        InputError: If the weight is not above 0.
    """

    differentiable = False

    def __init__(self, *, weight: float = 0.03, iterations: int = 100) -> None:
        super().__init__()
        if weight <= 0 or iterations < 1:
            raise InputError(
                f"weight is {weight} and iterations {iterations}; wanted a weight above 0 and at "
                "least 1 iteration."
            )
        self.options = {"weight": weight, "iterations": iterations}

    def forward(self, images: Tensor) -> Tensor:
        """Smooth ``images``, (N, C, H, W) in [0, 1]."""
        from skimage.restoration import denoise_tv_chambolle

        check_layout(images, "images")
        smooth = [
            denoise_tv_chambolle(
                image.float().numpy(),
                weight=self.options["weight"],
                max_num_iter=int(self.options["iterations"]),
                channel_axis=0,
            )
            for image in images.detach().cpu()
        ]
        out = torch.from_numpy(np.stack(smooth)).clamp(0, 1)
        return out.to(images.device, images.dtype)
