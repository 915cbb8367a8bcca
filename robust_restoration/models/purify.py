"""Purify what a classifier sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_images, check_layout

from .classifiers import (
    NormalizedClassifier,
    check_classifier,
    classifier_name,
    input_channels,
    pretrained_cfg,
)
from .create import create_purifier
from .weights import weights_for

DEFAULT_PURIFIER = "advfilter"


def find_purifier(
    classifier: nn.Module,
    purifier: str | nn.Module = DEFAULT_PURIFIER,
    *,
    weights: str | None = None,
    size: int | None = None,
) -> nn.Module:
    """The purifier for a classifier, with its weights, in eval mode on the classifier's device.

    Args:
        classifier: Decides which shipped weights are taken.
        purifier: A name, or a module, which is taken as it is.
        weights: A tag, file or hub repository instead of the shipped ones.
        size: The side of the images, for choosing among weights made for other classifiers; that
            of the classifier's ``pretrained_cfg`` by default.

    Raises:
        UnknownNameError: If no plugin offers the purifier; names the nearest.
        WeightsError: If it needs weights and has none, or they do not fit.
    """
    parameter = next(classifier.parameters(), torch.zeros(()))
    if isinstance(purifier, nn.Module):
        if weights is not None:
            raise InputError("weights go with a purifier's name; this one is a module already.")
        return purifier.eval().to(parameter.device)
    made = create_purifier(purifier, weights=weights)
    if weights is None and any(True for _ in made.parameters()):
        usual = pretrained_cfg(classifier).get("input_size", (3, 224, 224))[-1]
        tag = weights_for("purifiers", purifier, classifier_name(classifier), size or usual)
        made = create_purifier(purifier, weights=tag)
    return made.eval().to(parameter.device)


class PurifiedClassifier(nn.Module):
    """A classifier with a purifier in front of it: a drop-in ``nn.Module``.

    Gradients flow through both, so that an attack on it is white-box end to end. The purifier is
    no protection against an attacker who knows of it unless the tables in the README say so.

    Args:
        classifier: The classifier. Where it has a ``pretrained_cfg``, its mean and std are
            applied between purifier and classifier.
        purifier: A name, or a module (images in [0, 1] to the same).
        weights: A tag of shipped weights, a file, or a hub repository, instead of those that
            fit the classifier.
        normalized: Whether inputs come normalised for the classifier rather than in [0, 1].

    Raises:
        InputError: If the inputs of a call do not fit the classifier.

    Example:
        >>> robust = PurifiedClassifier(classifier, "advfilter")
        >>> logits = robust(images)  # images (N, C, H, W) in [0, 1]
    """

    def __init__(
        self,
        classifier: nn.Module,
        purifier: str | nn.Module = DEFAULT_PURIFIER,
        *,
        weights: str | None = None,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        self.purifier = find_purifier(classifier, purifier, weights=weights)
        self.wrapped = _normalized(classifier)
        self.normalized = normalized
        self.channels = input_channels(classifier)

    @property
    def unit_range(self) -> bool:
        """Whether inputs are in [0, 1], so that attacks need not normalise."""
        return not self.normalized

    @property
    def classifier(self) -> nn.Module:
        """The bare classifier."""
        inner = self.wrapped.classifier
        return inner if isinstance(inner, nn.Module) else self.wrapped

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the purified images.

        Args:
            images: (N, C, H, W); in [0, 1], or normalised if ``normalized`` was set. Only their
                layout is checked here.
        """
        check_layout(images, "images", self.channels)
        if self.normalized:
            images = self.wrapped.denormalize(images).clamp(0, 1)
        return self.wrapped(self.purifier(images))


def _normalized(classifier: nn.Module) -> NormalizedClassifier:
    return (
        classifier
        if isinstance(classifier, NormalizedClassifier)
        else NormalizedClassifier(classifier)
    )


def purify(
    classifier: nn.Module,
    x: Tensor,
    *,
    purifier: str | nn.Module = DEFAULT_PURIFIER,
    weights: str | None = None,
    normalized: bool = False,
    batch_size: int = 32,
) -> Tensor:
    """Take adversarial perturbations out of images before a classifier sees them.

    Args:
        classifier: The classifier; decides the purifier's weights, and the normalisation where
            ``normalized`` is set.
        x: (N, C, H, W) or (C, H, W) in [0, 1], floating-point, on the classifier's device.
        purifier: A name (see `list_purifiers`), or a module.
        weights: A tag of shipped weights, a file, or a hub repository, instead of those that
            fit the classifier.
        normalized: Whether ``x`` is already normalised for the classifier; the result then is
            too. Mean and std are read from the classifier's ``pretrained_cfg``.
        batch_size: How many images are purified at a time.

    Returns:
        Images like ``x``: same shape, dtype, device and normalisation. No gradients; use
        `PurifiedClassifier` where they are expected.

    Raises:
        InputError: If ``x`` is not such images; says which argument would fix it.
        WeightsError: If there are no weights for the purifier, or they do not fit.

    Example:
        >>> x_pure = purify(classifier, x)
    """
    if isinstance(x, Tensor) and x.ndim == 3:
        return purify(
            classifier,
            x[None],
            purifier=purifier,
            weights=weights,
            normalized=normalized,
            batch_size=batch_size,
        )[0]
    check_classifier(classifier, x)
    wrapped = _normalized(classifier)
    images = x
    if normalized:
        if wrapped.identity:
            raise InputError(
                "normalized=True needs the classifier's mean and std, and this one has no "
                "pretrained_cfg; wrap it as NormalizedClassifier(classifier, mean=..., std=...)."
            )
        images = wrapped.denormalize(x)
        # A float round trip through the normalisation may step over the border by a rounding.
        images = torch.where((images < 0) & (images > -1e-3), 0.0, images)
        images = torch.where((images > 1) & (images < 1 + 1e-3), 1.0, images).to(x.dtype)
        fix = "it was denormalised with the classifier's mean and std; was it normalised so?"
    else:
        fix = "if it is normalised for the classifier already, pass normalized=True"
    check_images(images, "x", fix=fix)
    made = find_purifier(classifier, purifier, weights=weights, size=min(x.shape[-2:]))
    with torch.no_grad():
        parts = [made(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
        out = torch.cat(parts)
        out = wrapped.normalize(out) if normalized else out
    return out.to(x.dtype)
