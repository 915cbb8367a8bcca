"""L2-denoising-PGD: sign steps in an L2 ball, or on the sphere of the same noise level."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError

from .denoiser_attack import DenoiserAttack, check_steps
from .projections import lengths, project


class L2DenoisingPGD(DenoiserAttack):
    """Sign-gradient steps from one Gaussian start, within |d|_2 <= eps sqrt(m) about the input.

    Algorithm 1 of the denoising-PGD paper, as printed, contradicts itself: it draws the start anew
    in each step. Here it is drawn once, with a standard deviation of eps / 2.

    Args:
        model: The denoiser.
        eps: Root mean square of the perturbation.
        steps: Gradient steps.
        alpha: A step along the sign; eps / steps by default.
        center: ``"noisy"``: the ball lies about the noisy image; ``"clean"``: further, the total
            noise about the clean image keeps its original norm, so that an attacked image is
            exactly as noisy as it was. This needs ``clip=None``.
        target: ``"clean"`` or ``"noisy"``, as in `DenoisingPGD`.
        **options: As `DenoiserAttack` takes them.

    Raises:
        InputError: If an option makes no sense.
    """

    norm = 2.0
    random = True

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Tensor = 3 / 255,
        steps: int = 5,
        alpha: float | None = None,
        center: str = "noisy",
        target: str = "clean",
        **options: Any,
    ) -> None:
        super().__init__(model, eps=eps, **options)
        check_steps(steps, alpha)
        for name, value in (("center", center), ("target", target)):
            if value not in ("clean", "noisy"):
                raise InputError(f"{name} is {value!r}; expected 'clean' or 'noisy'.")
        if center == "clean" and self.clip is not None:
            raise InputError(
                "center='clean' keeps the noise's norm, which a range would break: give clip=None."
            )
        self.steps, self.alpha, self.center, self.target = steps, alpha, center, target

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The attack; see the class."""
        away = self.target == "clean"
        eps = self.budget(inputs)
        step = eps / self.steps if self.alpha is None else self.alpha
        delta = self._within(eps / 2 * torch.randn_like(inputs), inputs, targets)
        for _ in range(self.steps):
            _, gradient = self.gradient(inputs + delta, targets if away else inputs)
            delta = delta + (step if away else -step) * gradient.sign()
            delta = self._within(delta, inputs, targets)
        return self.add(inputs, delta)

    def _within(self, delta: Tensor, inputs: Tensor, clean: Tensor) -> Tensor:
        if self.center == "clean":
            return on_sphere(delta, inputs - clean, self.radius(inputs))
        radius, about = self.radius(inputs), self.about(inputs)
        return project(delta, radius=radius, about=about, zero_mean=False, overwrite=True)

    def radius(self, inputs: Tensor) -> Tensor:
        """The largest L2 norm of each image's perturbation, (N,)."""
        return self.budget(inputs).flatten() * inputs[0].numel() ** 0.5


def on_sphere(delta: Tensor, noise: Tensor, radius: Tensor) -> Tensor:
    """The nearest d to ``delta`` with |noise + d| = |noise| and |d| <= radius.

    Args:
        delta: (N, C, H, W).
        noise: (N, C, H, W), the noise that is there already.
        radius: (N,).

    Returns:
        (N, C, H, W). Where there is no noise, 0.
    """
    length = lengths(noise)
    axis = noise / length.clamp(min=1e-30)
    total = noise + delta
    along = (total * axis).flatten(1).sum(1).view_as(length)
    across = total - along * axis
    across = across / lengths(across).clamp(min=1e-30)
    angle = torch.atan2(lengths(total - along * axis), along)
    # A chord of the sphere is as long as the radius at this angle.
    limit = 2 * torch.asin((radius.view_as(length) / (2 * length).clamp(min=1e-30)).clamp(max=1))
    angle = torch.minimum(angle, limit)
    return length * (angle.cos() * axis + angle.sin() * across) - noise
