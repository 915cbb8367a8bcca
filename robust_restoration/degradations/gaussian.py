"""White Gaussian noise: ``noisy, given = Gaussian(25 / 255)(clean, seed=0)``."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from robust_restoration.numbers import check_levels

from .draws import Draw, like, normal
from .noise import Noise


@dataclass(frozen=True)
class Gaussian(Noise):
    """White Gaussian noise.

    It is given as ``sigma``, the level of each image, (N,).

    Args:
        sigma: Its standard deviation; (low, high) draws it uniformly for each image, as blind
            denoisers are trained.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.

    Example:
        >>> noisy, given = Gaussian(25 / 255)(torch.zeros(2, 1, 64, 64), seed=0)
        >>> noisy.std().mul(255).round(), given["sigma"].mul(255)
        (tensor(25.), tensor([25., 25.]))
    """

    sigma: float | tuple[float, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_levels("sigma", self.sigma)

    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, dict[str, float]]:
        """The image plus noise."""
        sigma = draw_level(self.sigma, draw)
        return image + like(image, sigma * normal(draw, image)), {"sigma": sigma}


def draw_level(sigma: float | tuple[float, float], draw: Draw) -> float:
    """A level, or one drawn evenly between the lowest and the highest."""
    return draw.uniform(*sigma) if isinstance(sigma, tuple | list) else sigma
