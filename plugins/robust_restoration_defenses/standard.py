"""Standard training (NT): noise in, clean images expected."""

from __future__ import annotations

from torch import Tensor, nn

from robust_restoration.contracts import Batch, Step

from .denoising import DenoisingDefense, half_mean_square


class Standard(DenoisingDefense):
    """Minimises |f(y) - x|^2 / 2, averaged over the batch: what all others are compared with."""

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """SSE / (2B)."""
        restored = self.restore(model, batch["noisy"], batch.get("sigma"))
        return half_mean_square(restored, batch["clean"]), {}
