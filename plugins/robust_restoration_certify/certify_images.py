"""Certifying images: the verbs ``certify`` and ``create_certifier``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from robust_restoration.plugins.registry import registry

from .smoothing import Certificate


def create_certifier(classifier: nn.Module, name: str | None = None, **options: Any) -> Any:
    """A module with ``certify(images, ...)`` around a classifier.

    Args:
        classifier: The classifier, which takes images in [0, 1] or has a ``pretrained_cfg``.
        name: The certifier's name; the default one if ``None``.
        **options: Passed to the certifier.
    """
    name = name or registry().default("certifiers", "classifier")
    return registry().create("certifiers", name, classifier, **options)


def certify(
    classifier: nn.Module,
    x: Tensor,
    *,
    sigma: float = 0.25,
    denoiser: nn.Module | str | None = None,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    seed: int = 0,
    index: int | Sequence[int] = 0,
    batch_size: int | None = None,
) -> Certificate:
    """Predict with a radius within which no perturbation changes the prediction, with a proof.

    Randomised smoothing (Cohen et al., arXiv:1902.02918), with a denoiser in front of the
    classifier (Salman et al., arXiv:2003.01908). The certificate is one of the *smoothed*
    classifier, which answers by majority over noisy copies; the radius holds whatever the attacker
    knows, and with a probability of 1 - alpha over the draws.

    Args:
        classifier: The classifier; its own mean and standard deviation are applied inside.
        x: (N, C, H, W) or (C, H, W) in [0, 1].
        sigma: The noise's standard deviation as a fraction of [0, 1]. More noise allows larger
            radii and costs accuracy.
        denoiser: Cleans noisy copies before the classifier: a module, or a word such as
            ``NAME=WEIGHTS``; without one the classifier itself must know noise.
        n0: Draws an image that guess the class.
        n: Draws an image that bound its probability.
        alpha: The probability that a certificate is wrong.
        seed: Of the draws.
        index: The first image's number, or one number an image: its draws depend on the seed and
            on this alone.
        batch_size: Noisy copies at a time; ``None`` goes by the size of the images.

    Returns:
        ``(prediction, radius, abstained)``, each (N,), or () for one image: the class, -1 where it
        abstained; the L2 radius in [0, 1] units, 0 where it abstained; and whether it did.

    Raises:
        InputError: If the images do not fit the classifier, or an option is out of range.

    Example:
        >>> label, radius, abstained = certify(classifier, x, sigma=0.25, n=1000)
    """
    made = create_certifier(
        classifier,
        sigma=sigma,
        denoiser=denoiser,
        seed=seed,
        batch_size=batch_size,
    )
    single = isinstance(x, Tensor) and x.ndim == 3
    images = x[None] if single else x
    found: Certificate = made.certify(images, n0=n0, n=n, alpha=alpha, index=index)
    return Certificate(*(part[0] for part in found)) if single else found
