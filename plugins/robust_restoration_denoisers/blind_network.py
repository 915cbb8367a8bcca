"""What networks have in common that are told channels, features, and the levels they are for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count, check_levels


class BlindNetwork(Denoiser):
    """A denoiser that is never told the noise level; keeps and checks the three options.

    Args:
        channels: Channels of the images.
        features: Channels between the convolutions.
        sigma_range: The lowest and highest level it is trained for.
        reduction: How many times narrower its attention is than ``features``.

    Raises:
        InputError: If an option is out of range.
    """

    def __init__(
        self, *, channels: int, features: int, sigma_range: Sequence[float], reduction: int = 1
    ) -> None:
        super().__init__()
        check_count("channels", channels)
        check_count("features", features)
        if features % reduction:
            raise InputError(
                f"features is {features}; expected a multiple of {reduction}, as its attention "
                f"is {reduction} times narrower."
            )
        self.channels: int = channels
        self.sigma_range = check_levels("sigma_range", sigma_range, one=False)
        self.options: dict[str, Any] = {
            "channels": channels,
            "features": features,
            "sigma_range": list(self.sigma_range),
        }
