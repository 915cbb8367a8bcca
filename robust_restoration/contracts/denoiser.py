"""What a denoiser must be."""

from __future__ import annotations

from torch import Tensor, nn


class Denoiser(nn.Module):
    """Restores noisy images: ``forward(observed, sigma=None) -> restored``.

    The case of a restorer that is given ``{"sigma": ...}``. Images are (N, C, H, W) in [0, 1];
    ``sigma`` is a noise level as a fraction of the range, a float or a tensor of shape (N,). Any
    plain ``nn.Module`` that maps images to images is accepted wherever a Denoiser is; its forward
    names what it is to be given, and its result may have another size.

    Attributes:
        channels: How many channels it takes; ``None`` for any number.
        blind: Whether it works without ``sigma``.
        sigma_range: The lowest and highest noise level it is made for.
        differentiable: Whether gradients flow through it.
        trained: Whether it comes with its weights, so that it can be used as it is made.
        adds_up: Whether `forward` takes ``loss`` too, a function of a part of the restored images
            and its place in them, as an index, that gives (N,), and returns the sum over all
            parts: for what works in parts, and whose whole image then need not be kept. And
            ``whole``, a function of the whole restored image, whose (N,) it returns instead, while
            the gradient is that sum's; and ``change``, which it adds to the observed images.
    """

    channels: int | None = None
    blind: bool = True
    sigma_range: tuple[float, float] = (0.0, 1.0)
    differentiable: bool = True
    trained: bool = False
    adds_up: bool = False

    def forward(self, observed: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``observed``.

        Args:
            observed: (N, C, H, W).
            sigma: Noise level, a float or (N,); required where the denoiser is not blind.

        Returns:
            (N, C, H, W), not clamped.
        """
        raise NotImplementedError
