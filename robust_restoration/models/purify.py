"""Purify what a classifier sees."""

from __future__ import annotations

import copy
from functools import lru_cache

import torch
from torch import Tensor, nn

from robust_restoration.contracts import in_eval_mode
from robust_restoration.errors import InputError, check_type
from robust_restoration.images.checks import check_finite, check_images, check_layout, check_made
from robust_restoration.numbers import check_count
from robust_restoration.plugins.registry import registry

from .chain import Chain
from .classifiers import (
    NormalizedClassifier,
    check_classifier,
    check_module,
    classifier_name,
    input_channels,
    input_size,
)
from .create import create_purifier
from .shipped import Identity, find_weights, identity, known_weights, weights_for

UNNAMED = "an unnamed classifier"


def find_purifier(
    classifier: nn.Module | str | None,
    purifier: str | nn.Module | None = None,
    *,
    weights: str | None = None,
    size: int | None = None,
    channels: int | None = None,
) -> nn.Module:
    """The purifier for a classifier, with its weights, in eval mode on the classifier's device.

    Files of weights are read once, and again only when they have changed.

    Args:
        classifier: Decides which weights are taken, by its name, the size of the images it was
            trained on, and their channels. A name alone will do, or ``None`` for any classifier.
        purifier: A name, ``a+b`` for two in a row, or a module, which is taken as it is; the
            default purifier for classifiers where there is none.
        weights: A tag, file or hub repository instead of those that fit.
        size: The side of the classifier's images, where it does not say so itself.
        channels: Their channels, where it does not say so itself.

    Raises:
        InputError: If the classifier is not a module, or weights came with a module.
        UnknownNameError: If no plugin offers the purifier; names the nearest.
        WeightsError: If it needs weights and has none, or they do not fit.
    """
    found = _shared(classifier, purifier, weights=weights, size=size, channels=channels)
    if not isinstance(purifier, nn.Module):
        found = copy.deepcopy(found)
    given = classifier if isinstance(classifier, nn.Module) else nn.Identity()
    return found.to(next(given.parameters(), torch.zeros(())).device)


def _shared(
    classifier: nn.Module | str | None,
    purifier: str | nn.Module | None,
    *,
    weights: str | None = None,
    size: int | None = None,
    channels: int | None = None,
) -> nn.Module:
    """As `find_purifier`, but what others may be given too: on the CPU, and not to be changed."""
    name = classifier or UNNAMED
    if not isinstance(name, str):
        check_module(name)
        size, channels = input_size(name) or size, input_channels(name) or channels
        name = classifier_name(name)
    if isinstance(purifier, nn.Module):
        if weights is not None:
            raise InputError("weights go with a purifier's name; this one is a module already.")
        return in_eval_mode(purifier)
    expected = "a name, such as robust-restoration list purifiers shows, or a module"
    check_type("purifier", purifier, str | None, expected)
    word = purifier or registry().default("purifiers", "classifier")
    return _fitting(word, weights, name, size, channels)


def _fitting(
    purifier: str, weights: str | None, classifier: str, size: int | None, channels: int | None
) -> nn.Module:
    """The purifier of a name, with the weights given or those that fit."""
    if "+" in purifier:
        if weights is not None:
            return in_eval_mode(create_purifier(purifier, weights=weights))
        parts = purifier.split("+")
        return Chain(*[_fitting(part, None, classifier, size, channels) for part in parts]).eval()
    _, member = registry().find("purifiers", purifier)
    if member is None and (weights is not None or known_weights("purifiers", purifier)):
        tag = weights or weights_for("purifiers", purifier, classifier, size, channels)
        path = find_weights("purifiers", purifier, tag)
        if path.is_file():
            return _trained(purifier, identity(path))
    made = in_eval_mode(create_purifier(purifier, weights=weights))
    if weights is None and any(True for _ in made.parameters()):
        weights_for("purifiers", purifier, classifier, size, channels)  # says that there are none
    return made


@lru_cache(maxsize=16)
def _trained(purifier: str, which: Identity) -> nn.Module:
    return in_eval_mode(create_purifier(purifier, weights=which[0]))


class PurifiedClassifier(nn.Module):
    """A classifier with a purifier in front of it: a drop-in ``nn.Module``.

    Gradients flow through both, so that an attack on it is white-box end to end. What a purifier's
    name stands for is one of two promises, and its line in ``robust-restoration list purifiers``
    says where it is the second. Most help against attackers who do not know of them, and the
    default one is of these, as are all plain transforms. Those trained by attacks through
    themselves were measured against attackers who do know; the figures are in their model cards
    and in the README. Neither is a proof: the third promise, a certificate, is `certify`'s alone.

    Args:
        classifier: The classifier. Where it has a ``pretrained_cfg``, its mean and std are
            applied between purifier and classifier.
        purifier: A name (see `list_purifiers`), ``a+b`` for two in a row, or a module (images in
            [0, 1] to the same); the default purifier for classifiers where there is none.
        weights: A tag of shipped weights, a file, or a hub repository, instead of those that
            fit the classifier.
        normalized: Whether inputs come normalised for the classifier rather than in [0, 1].

    Raises:
        InputError: If the inputs of a call do not fit the classifier.

    Example:
        >>> robust = PurifiedClassifier(classifier)
        >>> logits = robust(images)  # images (N, C, H, W) in [0, 1]
    """

    def __init__(
        self,
        classifier: nn.Module,
        purifier: str | nn.Module | None = None,
        *,
        weights: str | None = None,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        check_module(classifier)
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
        pure = self.purifier(_as_wide_as(self.purifier, images))
        return self.wrapped(_as_wide_as(self.wrapped, pure))


def _as_wide_as(model: nn.Module, images: Tensor) -> Tensor:
    """``images`` in the precision of a model's parameters; as they are where it has none."""
    parameter = next(model.parameters(), images)
    return images.to(parameter.dtype) if parameter.is_floating_point() else images


def _normalized(classifier: nn.Module) -> NormalizedClassifier:
    if isinstance(classifier, NormalizedClassifier):
        return classifier
    return NormalizedClassifier(classifier)


def purify(
    classifier: nn.Module,
    x: Tensor,
    *,
    purifier: str | nn.Module | None = None,
    weights: str | None = None,
    normalized: bool = False,
    batch_size: int = 32,
) -> Tensor:
    """Take adversarial perturbations out of images before a classifier sees them.

    The default purifier helps against attackers who do not know of it, and not against those who
    do. What other names promise, `PurifiedClassifier` says; a proof is what `certify` gives.

    Args:
        classifier: The classifier; decides the purifier's weights, and the normalisation where
            ``normalized`` is set.
        x: (N, C, H, W) or (C, H, W) in [0, 1], floating-point, on the classifier's device.
        purifier: As in `PurifiedClassifier`.
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
    check_count("batch_size", batch_size)
    single = isinstance(x, Tensor) and x.ndim == 3
    x = x[None] if single else x
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
    alone = isinstance(purifier, nn.Module) or x.device.type != "cpu"
    made = (find_purifier if alone else _shared)(classifier, purifier, weights=weights)
    given = _as_wide_as(made, images)
    maker, parts = f"The purifier {type(made).__name__}", []
    with torch.no_grad():
        for part in given.split(batch_size):
            parts.append(made(part))
            check_made(parts[-1], part, maker, "expected images of the same shape")
        out = torch.cat(parts)
        check_finite(out, maker)
        out = wrapped.normalize(out) if normalized else out
    return out.to(x.dtype)[0] if single else out.to(x.dtype)
