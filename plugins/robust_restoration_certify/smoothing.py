"""Randomised smoothing: predictions with a radius within which no perturbation changes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from robust_restoration.contracts import frozen
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_images
from robust_restoration.models.classifiers import (
    check_classifier,
    check_module,
    with_unit_range,
)
from robust_restoration.models.precision import autocast
from robust_restoration.models.restore import conditioning, restore
from robust_restoration.numbers import check_count, is_number

from .binomial import leads, lower_bound

ABSTAINED = -1
# What an image's draws are for; they must not be the same ones.
GUESS, BOUND, PREDICT = range(3)


class Certificate(NamedTuple):
    """What `SmoothedClassifier.certify` says of each of N images.

    Attributes:
        prediction: (N,) the smoothed classifier's class; -1 where it abstained.
        radius: (N,) float64, the L2 norm in [0, 1] units within which the prediction holds, with
            probability 1 - alpha over the draws; 0 where it abstained.
        abstained: (N,) whether the draws were not enough to name a class.
    """

    prediction: Tensor
    radius: Tensor
    abstained: Tensor


class SmoothedClassifier(nn.Module):
    """g(x) = the class that f(D(x + n)), n ~ N(0, sigma^2 I), gives most often.

    If that class has probability p at x, it stays the most frequent one for every perturbation of
    an L2 norm below sigma Phi^-1(p): for any f and D, whatever the attacker knows (Cohen et al.,
    arXiv:1902.02918, Theorem 1). D is a denoiser, so that f need not know noise (Salman et al.,
    arXiv:2003.01908). p is bounded from below by counting draws, so that each certificate is wrong
    with a probability of at most alpha.

    Args:
        classifier: f. Images are in [0, 1]; where it has a ``pretrained_cfg``, its mean and
            standard deviation are applied inside.
        sigma: The noise's standard deviation, as a fraction of [0, 1].
        denoiser: D, a denoiser or any module from images to images; ``None`` for none. Its output
            is clamped to [0, 1].
        batch_size: Noisy copies that are classified at a time; it changes no figure.
        precision: ``"bf16"``, ``"fp16"`` or ``None`` for float32, in which f and D run.
        seed: Of the draws. An image's draws depend on the seed and the image's number alone.

    Raises:
        InputError: If sigma is not above 0 and at most 1, or the images do not fit.

    Example:
        >>> smoothed = SmoothedClassifier(classifier, sigma=0.25, denoiser=denoiser)
        >>> prediction, radius, abstained = smoothed.certify(images, n0=100, n=10_000)
    """

    unit_range = True
    random = True

    def __init__(
        self,
        classifier: nn.Module,
        *,
        sigma: float = 0.25,
        denoiser: nn.Module | None = None,
        batch_size: int = 200,
        precision: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not is_number(sigma) or not 0 < sigma <= 1:
            raise InputError(
                f"sigma is {sigma!r}; expected the noise's standard deviation as a fraction of "
                "[0, 1], such as 0.25."
            )
        check_count("batch_size", batch_size)
        check_count("seed", seed, at_least=0)
        if denoiser is not None:
            check_module(denoiser, "denoiser")
        self.classifier, self.denoiser = with_unit_range(classifier), denoiser
        self.sigma, self.batch_size, self.seed = sigma, batch_size, seed
        self.precision = precision

    def base(self, noisy: Tensor) -> Tensor:
        """Logits (N, K) of f(D(noisy)), differentiable; ``noisy`` is (N, C, H, W), not clamped."""
        if self.denoiser is not None:
            told = conditioning(self.denoiser, self.sigma)
            noisy = restore(self.denoiser, noisy, told).clamp(0, 1)
        logits: Tensor = self.classifier(noisy)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Logits of one noisy copy of each image, for training and for attacks with an expectation.

        Args:
            images: (N, C, H, W) in [0, 1]; the noise comes from torch's own generator.
        """
        return self.base(images + self.sigma * torch.randn_like(images))

    def predict(
        self,
        images: Tensor,
        *,
        n: int = 1000,
        alpha: float = 0.001,
        index: int | Sequence[int] = 0,
    ) -> Tensor:
        """PREDICT: the most frequent class of each image, (N,); -1 where two are too close.

        A class that is named is the smoothed classifier's with probability 1 - alpha.

        Args:
            images: (N, C, H, W) in [0, 1].
            n: Draws an image.
            alpha: The probability of naming another class.
            index: The first image's number, or one number an image.
        """
        found = []
        for image, number in self._each(images, index):
            counts = self.counts(image, n, number, PREDICT)
            top = counts.topk(min(2, len(counts)))
            second = int(top.values[1]) if len(counts) > 1 else 0
            sure = leads(int(top.values[0]), second, alpha)
            found.append(int(top.indices[0]) if sure else ABSTAINED)
        return torch.tensor(found, device=images.device)

    def certify(
        self,
        images: Tensor,
        *,
        n0: int = 100,
        n: int = 10_000,
        alpha: float = 0.001,
        index: int | Sequence[int] = 0,
    ) -> Certificate:
        """CERTIFY: the class of each image, and the radius within which it cannot be changed.

        ``n0`` draws guess the class; ``n`` further ones bound its probability p from below, by
        Clopper and Pearson at level alpha. Above 1/2 the radius is sigma Phi^-1(p), else it
        abstains.

        Args:
            images: (N, C, H, W) in [0, 1].
            n0: Draws for the guess.
            n: Draws for the bound; the largest possible radius grows with it.
            alpha: The probability that an image's certificate is wrong.
            index: The first image's number, or one number an image.

        Raises:
            InputError: If the images do not fit the classifier, or a count is below 1.
        """
        check_count("n0", n0)
        check_count("n", n)
        if not is_number(alpha) or not 0 < alpha < 1:
            raise InputError(f"alpha is {alpha!r}; expected one between 0 and 1, such as 0.001.")
        rows = []
        for image, number in self._each(images, index):
            guess = int(self.counts(image, n0, number, GUESS).argmax())
            agreed = int(self.counts(image, n, number, BOUND)[guess])
            bound = lower_bound(agreed, n, alpha)
            sure = bound > 0.5
            radius = self.sigma * float(norm.ppf(bound)) if sure else 0.0
            rows.append((guess if sure else ABSTAINED, radius, not sure))
        prediction, radius_of, abstained = zip(*rows, strict=True)
        at = images.device
        return Certificate(
            torch.tensor(prediction, device=at),
            torch.tensor(radius_of, dtype=torch.float64, device=at),
            torch.tensor(abstained, device=at),
        )

    def counts(self, image: Tensor, draws: int, number: int = 0, purpose: int = BOUND) -> Tensor:
        """How often f(D(image + n)) gives each class, (K,), over ``draws`` draws of n.

        Args:
            image: (C, H, W) in [0, 1].
            draws: How many.
            number: The image's number.
            purpose: Draws for another purpose are other ones.
        """
        # numpy's stream is the same however it is cut into batches; torch's is not.
        source = np.random.default_rng([self.seed, number, purpose])
        total: Tensor | None = None
        with torch.no_grad(), frozen(self), autocast(image, self.precision):
            for start in range(0, draws, self.batch_size):
                size = (min(self.batch_size, draws - start), *image.shape)
                noise = torch.from_numpy(source.standard_normal(size, dtype=np.float32))
                logits = self.base(image[None] + self.sigma * noise.to(image))
                counted = torch.bincount(logits.argmax(1), minlength=logits.shape[1])
                total = counted if total is None else total + counted
        assert total is not None
        return total.cpu()

    def _each(
        self, images: Tensor, index: int | Sequence[int]
    ) -> list[tuple[Tensor, int]]:
        check_images(images, "images")
        check_classifier(self.classifier, images, "images")
        first = isinstance(index, int)
        numbers = range(index, index + len(images)) if isinstance(index, int) else list(index)
        if len(numbers) != len(images):
            raise InputError(
                f"There are {len(numbers)} indices for {len(images)} images; expected "
                f"{'the first one' if first else 'one each'}."
            )
        return list(zip(images, numbers, strict=True))
