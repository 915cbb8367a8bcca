"""A denoiser: wavelet shrinkage on 2x2 blocks."""

import torch
import torch.nn.functional as F

from robust_restoration import Denoiser, InputError


class Shrink(Denoiser):
    """Soft-thresholds the Haar coefficients of 2x2 blocks, averaged over the four shifts.

    Args:
        strength: The threshold as a multiple of sigma.
    """

    blind = False
    sigma_range = (0.0, 0.5)

    def __init__(self, *, strength=1.5):
        super().__init__()
        self.strength = strength
        rows = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
        self.register_buffer("haar", rows.view(4, 1, 2, 2), persistent=False)

    def forward(self, noisy, sigma=None):
        """Restore ``noisy``, (N, C, H, W), of noise level ``sigma``, a float or (N,)."""
        if sigma is None:
            raise InputError("shrink is not blind: give it sigma, the noise level.")
        n, c, h, w = noisy.shape
        filters = self.haar.to(noisy)
        sigma = torch.as_tensor(sigma).to(noisy).reshape(-1, 1).expand(n, c).reshape(-1, 1, 1, 1)
        flat = F.pad(noisy, (1, 1, 1, 1), mode="replicate").reshape(n * c, 1, h + 2, w + 2)
        bands = F.conv2d(flat, filters)  # (NC, 4, H + 1, W + 1): every shift
        mean, details = bands[:, :1], bands[:, 1:]
        details = F.relu(details - self.strength * sigma) - F.relu(-details - self.strength * sigma)
        restored = F.conv_transpose2d(torch.cat([mean, details], dim=1), filters) / 4
        return restored[..., 1:-1, 1:-1].reshape(n, c, h, w)
