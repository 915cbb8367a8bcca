"""The residual U-Net as a denoiser: what it draws is to be the clean image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from robust_restoration.contracts import Denoiser
from robust_restoration.images.checks import check_layout
from robust_restoration.numbers import check_levels

from .resunet import WIDTHS, ResUNet


class ResUNetDenoiser(Denoiser):
    """`ResUNet`'s network as a blind denoiser for one level or a range, small images above all.

    It works at 1/2 to 1/8 of the size and recognises what it restores, which is what a classifier
    behind it needs at noise as strong as randomised smoothing asks for; of fine detail it keeps
    less than a denoiser at full size.

    Args:
        sigma_range: The lowest and highest level it is trained for.
        widths: As `ResUNet`.
        blocks: As `ResUNet`.
        stem: As `ResUNet`.
        additive: As `ResUNet`: restore by a correction of the noisy image, or draw on mid-gray.
        channels: Of the images.

    Raises:
        InputError: If an option is out of its range.
    """

    def __init__(
        self,
        *,
        sigma_range: Sequence[float] = (0.0, 0.25),
        widths: Sequence[int] = WIDTHS,
        blocks: Sequence[int] = (2, 2, 2),
        stem: int = 32,
        additive: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.network = ResUNet(
            widths=widths, blocks=blocks, stem=stem, additive=additive, channels=channels
        )
        self.channels: int = channels
        self.sigma_range = check_levels("sigma_range", sigma_range, one=False)
        self.options = {**self.network.options, "sigma_range": list(self.sigma_range)}

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W), any size; ``sigma`` is not used. Not clamped.

        Raises:
            InputError: If ``noisy`` has another number of channels or another layout.
        """
        check_layout(noisy, "noisy", self.channels, self)
        return self.network.drawn(noisy)
