"""The base of the noise models: degradations that keep an image's shape and may be clipped.

All levels are fractions of the [0, 1] range.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from robust_restoration.contracts import Degradation
from robust_restoration.numbers import check_range

RELEASED = "released"
Clip = tuple[float, float] | str | None


@dataclass(frozen=True)
class Noise(Degradation):
    """Base of the noise models; a subclass writes `corrupt`.

    Args:
        clip: (low, high) to clamp the noisy images to; ``"released"``: clamped to [0, 1] and cut
            down to the 8-bit value below, as released code does that keeps noisy images as bytes;
            ``None`` to leave them as they are. Clipping makes noise that is not zero-mean where
            images are dark or bright.

    Raises:
        InputError: If an option is out of range.
    """

    clip: Clip = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_clip(self.clip)

    def finished(self, observed: Tensor) -> Tensor:
        """The noisy images, clipped."""
        return clipped(observed, self.clip)


def check_clip(clip: Clip) -> None:
    """Raise an `InputError` unless ``clip`` is one that `Noise` takes."""
    if clip is not None and clip != RELEASED:
        check_range("clip", clip)


def clipped(noisy: Tensor, clip: Clip) -> Tensor:
    """Noisy images as ``clip`` says, see `Noise`."""
    if clip is None:
        return noisy
    if isinstance(clip, str):
        return (noisy.clamp(0, 1) * 255).floor() / 255
    return noisy.clamp(*clip)
