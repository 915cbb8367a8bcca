"""BM3D, by the package ``bm3d`` of its authors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout

from .sigma import sigma_per_image

BLOCK = 8  # the side of the blocks that are matched
PROFILES = {  # the package's names for them
    "np": "BM3DProfile",
    "refilter": "BM3DProfileRefilter",
    "vn": "BM3DProfileVN",
    "vn_old": "BM3DProfileVNOld",
    "high": "BM3DProfileHigh",
    "deb": "BM3DProfileDeb",
}
# The first of the opponent colours is the mean of the channels, in which blocks are matched.
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [0.25, -0.5, 0.25]])


class BM3D(Denoiser):
    """Block matching and 3-D filtering (Dabov et al., IEEE TIP 2007).

    A classical denoiser on the CPU: images are restored one by one, on one thread so that a result
    is the same to the last bit each time, and no gradients flow through it. Colour images are
    filtered in opponent colours, as CBM3D does.

    The package ``bm3d`` (``pip install robust_restoration[bm3d]``) is the authors' own, in the
    version of Mäkinen, Azzari and Foi (IEEE TIP 2020), and free for non-commercial use only.

    Args:
        profile: The package's name for a set of parameters, ``"np"`` being the normal one.

    Raises:
        InputError: If there is no such profile.
    """

    blind = False
    differentiable = False

    def __init__(self, *, profile: str = "np") -> None:
        super().__init__()
        if profile not in PROFILES:
            raise InputError(f"profile is {profile!r}; expected one of {', '.join(PROFILES)}.")
        self.options: dict[str, Any] = {"profile": profile}

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``.

        Args:
            noisy: (N, C, H, W), C = 1 or 3, H and W at least 8.
            sigma: Noise level as a fraction of the range, a float or (N,).

        Returns:
            (N, C, H, W), not clamped, without gradients.

        Raises:
            InputError: If ``sigma`` is missing or no level, or ``noisy`` of another layout.
        """
        check_layout(noisy, "noisy")
        if noisy.shape[1] not in (1, 3):
            raise InputError(
                f"noisy has shape {tuple(noisy.shape)}; BM3D wants 1 or 3 channels."
            )
        if min(noisy.shape[-2:]) < BLOCK:
            raise InputError(
                f"noisy has shape {tuple(noisy.shape)}; BM3D matches blocks of {BLOCK}x{BLOCK} "
                f"pixels and wants images at least as large."
            )
        levels = sigma_per_image(sigma, noisy, denoiser="BM3D").tolist()
        images = noisy.detach().double().cpu().numpy()
        restored = [self._restore(x, level) for x, level in zip(images, levels, strict=True)]
        return torch.from_numpy(np.stack(restored)).to(noisy)

    def _restore(self, image: np.ndarray, sigma: float) -> np.ndarray:
        """One image, (C, H, W)."""
        import bm3d

        if sigma == 0:
            return image
        profile = getattr(bm3d, PROFILES[self.options["profile"]])()
        profile.num_threads = 1  # several add up in the order in which they happen to finish
        if len(image) == 3:
            opponent = np.tensordot(OPPONENT, image, axes=1)
            if (np.ptp(opponent, axis=(1, 2)) > 1e-9).all():
                planes = np.ascontiguousarray(image.transpose(1, 2, 0))
                return np.asarray(bm3d.bm3d_rgb(planes, sigma, profile)).transpose(2, 0, 1)
            # A constant opponent colour, as of a gray image in three channels, is divided by its
            # range 0 there.
        return np.stack([np.asarray(bm3d.bm3d(plane, sigma, profile)) for plane in image])
