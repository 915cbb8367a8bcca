"""Noise models: ``noise = Gaussian(25 / 255); noisy = noise(clean, seed=0)``.

All levels are fractions of the [0, 1] range. Results are not clipped to [0, 1] unless ``clip``
says so. The random numbers of an image depend on the seed and the image's number alone: neither on
the batch it is in, nor on the device, nor on the dtype, as they are drawn on the CPU in float32.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Generator, Tensor

from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout

Draw = np.random.Generator


@dataclass(frozen=True)
class Noise(ABC):
    """Base of the noise models; a subclass writes `corrupt`.

    Args:
        clip: (low, high) to clamp the noisy images to, or ``None`` to leave them as they are.
            Clipping makes noise that is not zero-mean where images are dark or bright.

    Raises:
        InputError: If an option is out of range.
    """

    clip: tuple[float, float] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.clip is None:
            return
        if not (_is_pair(self.clip) and self.clip[0] < self.clip[1]):
            raise InputError(
                f"clip is {self.clip!r}; expected None or (low, high), such as (0, 1)."
            )

    @abstractmethod
    def corrupt(self, image: Tensor, draw: Draw) -> Tensor:
        """One image with noise.

        Args:
            image: (C, H, W), floating-point; not to be changed.
            draw: Where all random numbers come from.

        Returns:
            (C, H, W), not clipped.
        """

    def __call__(
        self,
        images: Tensor,
        *,
        seed: int | None = None,
        generator: Generator | None = None,
        index: int | Sequence[int] = 0,
    ) -> Tensor:
        """Add noise to images.

        Args:
            images: (N, C, H, W) in [0, 1], floating-point.
            seed: An image's noise is given by the seed and its number.
            generator: Where a seed is drawn from instead, one number a call; with neither, it is
                torch's global generator.
            index: The first image's number, the others following; or one number an image. Batches
                that together hold a data set, each with its own first number, get the very noise
                that the whole set gets in one call.

        Returns:
            (N, C, H, W), in the dtype and on the device of ``images``.

        Raises:
            InputError: If ``images`` are of another layout, or the arguments contradict.
        """
        check_layout(images, "images")
        draws = draws_of(len(images), seed=seed, generator=generator, index=index)
        noisy = torch.stack([self.corrupt(x, d) for x, d in zip(images, draws, strict=True)])
        return noisy if self.clip is None else noisy.clamp(*self.clip)


def draws_of(
    count: int,
    *,
    seed: int | None = None,
    generator: Generator | None = None,
    index: int | Sequence[int] = 0,
) -> list[Draw]:
    """A source of random numbers for each of ``count`` images; arguments as in `Noise.__call__`.

    Raises:
        InputError: If there are both a seed and a generator, or another number of indices.
    """
    if seed is not None and generator is not None:
        raise InputError("Both seed and generator are given; expected one of them, or none.")
    if seed is None:
        device = "cpu" if generator is None else generator.device
        seed = int(torch.randint(2**62, (), generator=generator, device=device))
    if isinstance(index, int | np.integer):
        numbers = list(range(int(index), int(index) + count))
    else:
        numbers = [int(i) for i in index]
    if len(numbers) != count:
        raise InputError(f"There are {len(numbers)} indices for {count} images; expected one each.")
    if seed < 0 or any(number < 0 for number in numbers):
        raise InputError("seed and index are whole numbers of 0 or more; got a negative one.")
    return [np.random.default_rng([seed, number]) for number in numbers]


@dataclass(frozen=True)
class _Levelled(Noise):
    """White Gaussian noise at a level that each image draws first."""

    @abstractmethod
    def level(self, draw: Draw) -> float:
        """The level of one image."""

    def levels(self, count: int, *, seed: int, index: int | Sequence[int] = 0) -> Tensor:
        """The levels (N,) of the images that a call with the same seed and index makes noisy.

        They are for denoisers that are told the noise level.
        """
        return torch.tensor([self.level(d) for d in draws_of(count, seed=seed, index=index)])

    def corrupt(self, image: Tensor, draw: Draw) -> Tensor:
        """The image plus noise."""
        return image + _like(image, self.level(draw) * _normal(draw, image.shape))


@dataclass(frozen=True)
class Gaussian(_Levelled):
    """White Gaussian noise.

    Args:
        sigma: Its standard deviation; (low, high) draws it uniformly for each image, as blind
            denoisers are trained.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.

    Example:
        >>> Gaussian(25 / 255)(torch.zeros(2, 1, 64, 64), seed=0).std().mul(255).round()
        tensor(25.)
    """

    sigma: float | tuple[float, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = self.sigma if isinstance(self.sigma, tuple | list) else (self.sigma, self.sigma)
        for sigma in ends:
            _check_fraction("sigma", sigma)
        if len(ends) != 2 or ends[0] > ends[1]:
            raise InputError(f"sigma is {self.sigma!r}; expected (low, high) of levels in order.")

    def level(self, draw: Draw) -> float:
        """The level of one image."""
        if isinstance(self.sigma, Sequence):
            return draw.uniform(*self.sigma)
        return self.sigma


@dataclass(frozen=True)
class MixedLevels(_Levelled):
    """White Gaussian noise of one of several levels, chosen for each image.

    Args:
        sigmas: The levels, such as (25/255, 26/255).
        proportions: How often each is chosen, scaled to add up to 1; by default equally often.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    sigmas: Sequence[float]
    proportions: Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.sigmas, Sequence) or not self.sigmas:
            raise InputError(f"sigmas is {self.sigmas!r}; expected levels, such as (0.1, 0.2).")
        for sigma in self.sigmas:
            _check_fraction("sigma", sigma)
        shares = self._shares()
        fit = isinstance(shares, Sequence) and len(shares) == len(self.sigmas)
        if not (fit and all(_is_number(s) and s >= 0 for s in shares) and sum(shares) > 0):
            raise InputError(
                f"proportions is {self.proportions!r}; expected {len(self.sigmas)} numbers of 0 or "
                "more, one a level, not all 0."
            )

    def level(self, draw: Draw) -> float:
        """The level of one image."""
        shares = np.array(self._shares())
        return self.sigmas[draw.choice(len(shares), p=shares / shares.sum())]

    def _shares(self) -> Sequence[float]:
        return [1.0] * len(self.sigmas) if self.proportions is None else self.proportions


@dataclass(frozen=True)
class Uniform(Noise):
    """White noise, uniform between -sqrt(3) sigma and sqrt(3) sigma (ObsAtk paper, section 3.2).

    Args:
        sigma: Its standard deviation.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    sigma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_fraction("sigma", self.sigma)

    def corrupt(self, image: Tensor, draw: Draw) -> Tensor:
        """The image plus noise."""
        numbers = draw.random(tuple(image.shape), dtype=np.float32)
        return image + _like(image, (2 * numbers - 1) * (math.sqrt(3) * self.sigma))


@dataclass(frozen=True)
class Poisson(Noise):
    """Shot noise: Poisson(photons * x) / photons.

    Args:
        photons: Photons at a value of 1; above 0, the fewer the noisier.
        dispersion: With it, an image's photons are drawn from a negative binomial distribution of
            mean ``photons`` and variance photons + photons^2 / dispersion, at least 1 (section
            3.2.2 of the report on Noise2Noise and DAG, which takes 500 and 75); without it, all
            images have ``photons``.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range, or images have values below 0.
    """

    photons: float
    dispersion: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("photons", "dispersion"):
            value = getattr(self, name)
            if value is None and name == "dispersion":
                continue
            if not (_is_number(value) and 0 < value <= 1e9):
                raise InputError(f"{name} is {value!r}; expected a number above 0, up to 1e9.")

    def corrupt(self, image: Tensor, draw: Draw) -> Tensor:
        """The image's photon counts, scaled back."""
        values = image.detach().double().cpu().numpy()
        if not (np.isfinite(values) & (values >= 0)).all():
            raise InputError(
                "images have values below 0, NaN or infinite; shot noise wants [0, 1]: "
                "images.clamp(0, 1) cuts off what is outside."
            )
        photons = self.photons
        if self.dispersion is not None:
            share = self.dispersion / (self.dispersion + self.photons)
            photons = max(1, int(draw.negative_binomial(self.dispersion, share)))
        return _like(image, draw.poisson(values * photons) / photons)


@dataclass(frozen=True)
class Impulse(Noise):
    """Gaussian noise at some values only: each pixel and channel by itself has it or not.

    Args:
        sigma: The standard deviation where there is noise.
        probability: How likely a value has it.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    sigma: float
    probability: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_fraction("sigma", self.sigma)
        _check_share("probability", self.probability)

    def corrupt(self, image: Tensor, draw: Draw) -> Tensor:
        """The image plus noise at some of its values."""
        noise = self.sigma * _normal(draw, image.shape)
        chosen = draw.random(tuple(image.shape), dtype=np.float32) < self.probability
        return image + _like(image, noise * chosen)


@dataclass(frozen=True)
class ReplacementGaussian(Noise):
    """Some pixels, all their channels, are replaced by Gaussian values.

    The report on Noise2Noise and DAG (section 2.3.1) clamps them, which ``clip=(0, 1)`` does.

    Args:
        share: The share of pixels, 0 to 1, rounded to whole pixels.
        mean: The mean of the new values.
        sigma: Their standard deviation.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    share: float
    mean: float = 0.5
    sigma: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_share("share", self.share)
        _check_fraction("mean", self.mean)
        _check_fraction("sigma", self.sigma)

    def corrupt(self, image: Tensor, draw: Draw) -> Tensor:
        """The image with some pixels replaced."""
        chosen = _pixels(draw, self.share, image)
        values = self.mean + self.sigma * _normal(draw, image.shape)
        return torch.where(chosen, _like(image, values), image)


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """Some pixels, all their channels together, become 0 or 1, each equally likely.

    Args:
        share: The share of pixels, 0 to 1, rounded to whole pixels.
        clip: As in `Noise`.

    Raises:
        InputError: If an option is out of range.
    """

    share: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_share("share", self.share)

    def corrupt(self, image: Tensor, draw: Draw) -> Tensor:
        """The image with some pixels black or white."""
        chosen = _pixels(draw, self.share, image)
        values = draw.integers(0, 2, size=(1, *image.shape[1:])).astype(np.float32)
        return torch.where(chosen, _like(image, values), image)


def _like(image: Tensor, values: np.ndarray) -> Tensor:
    """``values`` as a tensor in the image's dtype and on its device."""
    return torch.from_numpy(values).to(image)


def _normal(draw: Draw, shape: Sequence[int]) -> np.ndarray:
    return draw.standard_normal(tuple(shape), dtype=np.float32)


def _pixels(draw: Draw, share: float, image: Tensor) -> Tensor:
    """(1, H, W), true at a share of the pixels, chosen at random."""
    height, width = image.shape[1:]
    chosen = np.zeros(height * width, dtype=bool)
    count = round(share * len(chosen))
    chosen[draw.choice(len(chosen), count, replace=False, shuffle=False)] = True
    return torch.from_numpy(chosen.reshape(1, height, width)).to(image.device)


def _is_number(value: object) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and math.isfinite(value)  # type: ignore[arg-type]


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_number, value))


def _check_fraction(name: str, value: object) -> None:
    if not (_is_number(value) and 0 <= value <= 1):  # type: ignore[operator]
        level = _is_number(value) and 1 < value <= 255  # type: ignore[operator]
        fix = f": write {value:g}/255" if level else ""
        raise InputError(f"{name} is {value!r}; levels are fractions of the [0, 1] range{fix}.")


def _check_share(name: str, value: object) -> None:
    if not (_is_number(value) and 0 <= value <= 1):  # type: ignore[operator]
        raise InputError(f"{name} is {value!r}; expected a share from 0 to 1.")
