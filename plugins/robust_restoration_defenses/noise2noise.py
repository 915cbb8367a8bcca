"""Noise2Noise (Lehtinen et al., arXiv:1803.04189): training without clean images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch, Step
from robust_restoration.degradations.names import create_noise
from robust_restoration.errors import InputError
from robust_restoration.numbers import check_positive

from .denoising import DenoisingDefense

# |x|^gamma has no gradient at 0 for gamma below 1.
EPSILON = 1e-8


class Noise2Noise(DenoisingDefense):
    """Restores one noisy copy of an image towards another, whose noise is independent.

    With a loss whose minimiser is the mean (L2), the median (L1) or the mode (L0) of the target,
    as suits the noise, zero-mean, zero-median or sparse noise on the target averages out.

    Args:
        kind: ``"gaussian"``: each copy draws its own level between ``sigma``'s ends, L2;
            ``"poisson"``: shot noise of so many photons, L1; ``"impulse"``: Gaussian noise kept at
            each value with a probability, L0, which is (|.| + 1e-8)^gamma with gamma falling
            linearly from 2 to 0 over the run.
        photons: Mean photons of ``"poisson"``, one draw an image.
        dispersion: Of the negative binomial that they are drawn from.
        photons_law: ``"paper"`` or ``"released"``, which negative binomial; see the noise
            ``poisson``.
        impulse_sigma: Standard deviation of ``"impulse"`` where there is noise; (low, high) draws
            it for each image, (0, 50/255) in the report's code.
        probability: How likely a value has it.
        exponent: A fixed exponent of the L0 loss instead of the falling one. The report's code
            keeps 2 throughout, whatever its text says.
        sigma: The lowest and the highest level of ``"gaussian"``.
        **options: As `DenoisingDefense` takes them, but for ``noise``.

    Raises:
        InputError: If an option makes no sense.
    """

    def __init__(
        self,
        *,
        kind: str = "gaussian",
        photons: float = 500.0,
        dispersion: float | None = 75.0,
        photons_law: str = "paper",
        impulse_sigma: float | Sequence[float] = 0.2,
        probability: float = 0.5,
        exponent: float | None = None,
        sigma: float | Sequence[float] = (0.0, 50 / 255),
        **options: Any,
    ) -> None:
        super().__init__(sigma=sigma, **options)
        if kind not in ("gaussian", "poisson", "impulse"):
            raise InputError(f"kind is {kind!r}; expected 'gaussian', 'poisson' or 'impulse'.")
        if self.noise is not None:
            raise InputError("noise2noise has noise of its own, see kind; leave noise out.")
        self.kind = kind
        if kind == "poisson":
            self.noise = create_noise("poisson", photons, dispersion, photons_law)
        elif kind == "impulse":
            self.noise = create_noise("impulse", impulse_sigma, probability)
        if exponent is not None:
            check_positive("exponent", exponent)
        self.exponent = exponent

    def corrupt(self, clean: Tensor, generator: Generator) -> Batch:
        """Two noisy copies of a batch.

        Returns:
            ``noisy`` and ``target``, each (B, C, H, W), not clipped; ``sigma`` (B,), the level of
            the former.
        """
        first = super().corrupt(clean, generator)
        return {**first, "target": super().corrupt(clean, generator)["noisy"]}

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The mean of |restored - target|^p over the batch: p is 2, 1, or falls from 2 to 0."""
        away = self.restore(model, batch["noisy"], batch.get("sigma")) - batch["target"]
        if self.kind == "gaussian":
            return away.square().mean(), {}
        if self.kind == "poisson":
            return away.abs().mean(), {}
        gamma = 2 * (1 - step.progress) if self.exponent is None else self.exponent
        return (away.abs() + EPSILON).pow(gamma).mean(), {"gamma": gamma}
