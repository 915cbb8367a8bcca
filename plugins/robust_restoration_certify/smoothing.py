"""Randomised smoothing: predictions with a radius within which no perturbation changes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn

from robust_restoration import verbs
from robust_restoration.contracts import frozen
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_images
from robust_restoration.models.classifiers import (
    check_classifier,
    check_logits,
    check_module,
    with_unit_range,
)
from robust_restoration.models.precision import (
    autocast,
    check_autocast,
    forbids_channels_last,
)
from robust_restoration.models.restore import conditioning, restore
from robust_restoration.numbers import check_count, is_number
from robust_restoration.plugins.targets import call

from .binomial import leads, lower_bound
from .certificates import ABSTAINED, Certificates

# A batch holds about so many pixels by default; one that does not fit into memory is halved. On a
# processor more leave the cache: 512 images of 32x32 at a time take twice as long as by 64.
PIXELS = {"cpu": 2**16, "cuda": 2**22}
COPIES = (1, 2000)  # and at least, and at most, so many images
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
        denoiser: D, a denoiser or any module from images to images, or a word such as
            ``NAME=WEIGHTS``; ``None`` for none. Its output is clamped to [0, 1].
        batch_size: Noisy copies that are classified at a time; it changes no figure. ``None`` goes
            by the size of the images. What does not fit into memory is halved.
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
        denoiser: nn.Module | str | None = None,
        batch_size: int | None = None,
        precision: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not is_number(sigma) or not 0 < sigma <= 1:
            raise InputError(
                f"sigma is {sigma!r}; expected the noise's standard deviation as a fraction of "
                "[0, 1], such as 0.25."
            )
        if batch_size is not None:
            check_count("batch_size", batch_size)
        check_count("seed", seed, at_least=0)
        check_autocast(precision)
        self.classifier = with_unit_range(classifier)
        made = verbs.load_denoiser(denoiser) if isinstance(denoiser, str) else denoiser
        if made is not None:
            check_module(made, "denoiser")
        self.denoiser: nn.Module | None = made
        self.sigma, self.batch_size, self.seed = sigma, batch_size, seed
        self.precision = precision
        self.channels_last = True

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
        advance: Callable[[int], object] = lambda count: None,
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
            advance: Told how many noisy copies were classified since it was called last.

        Raises:
            InputError: If the images do not fit the classifier, or a count is below 1.
        """
        check_count("n0", n0)
        check_count("n", n)
        if not is_number(alpha) or not 0 < alpha < 1:
            raise InputError(f"alpha is {alpha!r}; expected one between 0 and 1, such as 0.001.")
        rows = []
        for image, number in self._each(images, index):
            guess = int(self.counts(image, n0, number, GUESS, advance).argmax())
            agreed = int(self.counts(image, n, number, BOUND, advance)[guess])
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

    def certify_set(self, data: Any, **options: Any) -> Certificates:
        """Certify a data set: certified accuracy at every radius, with intervals.

        An image's certificate depends on the seed and its number alone, also over several processes
        (``accelerate launch``, ``torchrun``), which share the images.

        Args:
            data: Labelled images, or what `load_labelled` takes.
            **options: As `robust_restoration_certify.over_data.certify_set` takes them: ``n0``,
                ``n``, ``alpha``, ``every``, ``limit``, ``state`` and so on.

        Raises:
            InputError: As there.
            DataError: As there.

        Example:
            >>> smoothed = rr.create_certifier(classifier, sigma=0.25)
            >>> result = smoothed.certify_set("cifar10:train", n=10_000, every=4)
            >>> accuracy, low, high = result.certified(0.25)
        """
        from .over_data import certify_set

        return call(certify_set, "certify_set", (self, data), options)

    def counts(
        self,
        image: Tensor,
        draws: int,
        number: int = 0,
        purpose: int = BOUND,
        advance: Callable[[int], object] = lambda count: None,
    ) -> Tensor:
        """How often f(D(image + n)) gives each class, (K,), over ``draws`` draws of n.

        Args:
            image: (C, H, W) in [0, 1].
            draws: How many.
            number: The image's number.
            purpose: Draws for another purpose are other ones.
            advance: Told how many noisy copies were classified since it was called last.
        """
        # numpy's stream is the same however it is cut into batches; torch's is not.
        source = np.random.default_rng([self.seed, number, purpose])
        total: Tensor | None = None
        done = 0
        with torch.no_grad(), frozen(self), autocast(image, self.precision):
            while done < draws:
                size = (min(self._batch(image), draws - done), *image.shape)
                noise = torch.from_numpy(source.standard_normal(size, dtype=np.float32))
                counted = self._counted(image, noise)
                total = counted if total is None else total + counted
                done += len(noise)
                advance(len(noise))
        assert total is not None
        return total.cpu()

    def _batch(self, image: Tensor) -> int:
        if self.batch_size is not None:
            return self.batch_size
        pixels = image.shape[-2] * image.shape[-1]
        fitting = PIXELS.get(image.device.type, PIXELS["cuda"]) // pixels
        return min(max(fitting, COPIES[0]), COPIES[1])

    def _counted(self, image: Tensor, noise: Tensor) -> Tensor:
        """How often each class comes, (K,), for this noise, (B, C, H, W)."""
        noisy = image[None] + self.sigma * noise.to(image)
        if self.channels_last and image.device.type == "cpu":  # half as fast again there
            noisy = noisy.contiguous(memory_format=torch.channels_last)
        try:
            logits = self.base(noisy)
        except torch.OutOfMemoryError:
            if len(noise) == 1:
                raise
        except RuntimeError as error:
            if not self.channels_last or not forbids_channels_last(error):
                raise
            self.channels_last = False
            return self._counted(image, noise)
        else:
            check_logits(logits, len(noise), self.classifier)
            return torch.bincount(logits.argmax(1), minlength=logits.shape[1])
        self.batch_size = (len(noise) + 1) // 2  # from here on
        halves = noise.split(self.batch_size)
        return torch.stack([self._counted(image, half) for half in halves]).sum(0)

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
