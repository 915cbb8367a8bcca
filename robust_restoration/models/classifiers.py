"""Classifiers: what they take and are called, and their normalisation, read and never guessed."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import frozen, unwrapped
from robust_restoration.contracts.freezing import version
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_device, check_layout


class NormalizationWarning(UserWarning):
    """A classifier whose inputs are taken as they are, though it was hardly trained on such."""


def check_module(classifier: Any, name: str = "classifier") -> None:
    """Raise an `InputError` that says what to do where a network is not a module."""
    if isinstance(classifier, nn.Module):
        return
    if isinstance(classifier, str):
        maker = "load_classifier" if name == "classifier" else "create_denoiser"
        fix = f"robust_restoration.{maker}({classifier!r}) makes one of a name"
    elif isinstance(classifier, Tensor):
        fix = f"the {name} comes first, the images second"
    elif isinstance(classifier, type):
        fix = f"{classifier.__name__}() makes one of the class"
    elif name == "classifier":
        fix = "timm.create_model(name, pretrained=True) makes one"
    else:
        fix = "torch.nn.Module is the base of all"
    kind = "class" if isinstance(classifier, type) else type(classifier).__name__
    raise InputError(f"{name} is a {kind}; expected a torch module: {fix}.")


def pretrained_cfg(classifier: nn.Module) -> dict[str, Any]:
    """A timm classifier's ``pretrained_cfg`` as a dict; empty for a plain module.

    Raises:
        InputError: If it is not such a dict, or its sizes, mean or std make no sense.
    """
    config = getattr(unwrapped(classifier), "pretrained_cfg", None)
    if config is None:
        return {}
    try:
        found = dict(config.to_dict() if hasattr(config, "to_dict") else config)
    except (TypeError, ValueError):
        raise InputError(
            f"pretrained_cfg is a {type(config).__name__}; expected a dict like timm's, or None."
        ) from None
    for key, least in (("mean", -math.inf), ("std", 0.0), ("input_size", 0.0)):
        values = found.get(key)
        if values is not None and not (
            isinstance(values, tuple | list)
            and values
            and all(isinstance(v, int | float) and least < v < math.inf for v in values)
        ):
            above = "finite numbers" if key == "mean" else "numbers above 0"
            raise InputError(f"pretrained_cfg has {key}={values!r}; expected a tuple of {above}.")
    return found


def input_size(classifier: nn.Module) -> int | None:
    """The side in pixels of the images that a classifier was trained on, where it says so."""
    config = pretrained_cfg(getattr(classifier, "classifier", classifier))
    size = config.get("input_size") or pretrained_cfg(classifier).get("input_size")
    return int(size[-1]) if size else None


def classifier_name(classifier: nn.Module) -> str:
    """What weights trained for this classifier are filed under.

    The architecture and tag of timm (``resnet50.a1_in1k``), or the class's name.
    """
    inner = getattr(classifier, "classifier", None)
    if getattr(classifier, "unit_range", False) and isinstance(inner, nn.Module):
        return classifier_name(inner)
    config = pretrained_cfg(classifier)
    name = config.get("architecture") or type(classifier).__name__.lower()
    tag = config.get("tag")
    return f"{name}.{tag}" if tag else str(name)


def input_channels(classifier: nn.Module) -> int | None:
    """How many channels a classifier takes, from ``in_chans`` or its first convolution."""
    inner = getattr(classifier, "wrapped", None)
    if isinstance(inner, NormalizedClassifier):  # behind a purifier, which may see other channels
        return input_channels(inner)
    for module in classifier.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    return None


def normalization(classifier: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and standard deviation a classifier's inputs are normalised with.

    Returns:
        (mean, std) of its ``pretrained_cfg``; ``None`` where it has none, which means that it
        takes [0, 1].
    """
    config = pretrained_cfg(classifier)
    told = [name for name in ("mean", "std") if config.get(name) is not None]
    if len(told) == 1:
        raise InputError(
            f"pretrained_cfg has {told[0]} alone, so that its normalisation is not known; expected "
            "mean and std, or neither where the classifier takes [0, 1]."
        )
    if not told:
        return None
    mean, std = tuple(config["mean"]), tuple(config["std"])
    if input_channels(classifier) == 1:  # timm keeps 3 values also for in_chans=1
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return mean, std


def _warn_unnormalised(classifier: nn.Module) -> None:
    """Torchvision's classifiers do not say that they were trained on normalised images."""
    kind = type(unwrapped(classifier))
    if kind.__module__.startswith("torchvision.models"):
        warnings.warn(
            f"{kind.__name__} of torchvision has no pretrained_cfg, so that its inputs are taken "
            "as they are, in [0, 1]. If it was trained on normalised images, wrap it: "
            "NormalizedClassifier(classifier, mean=(0.485, 0.456, 0.406), "
            "std=(0.229, 0.224, 0.225)).",
            NormalizationWarning,
            stacklevel=3,
        )


class NormalizedClassifier(nn.Module):
    """A classifier that takes images in [0, 1] and normalises them itself.

    Args:
        classifier: The classifier; its normalisation is read from its ``pretrained_cfg``.
        mean: One number a channel, instead of the classifier's own.
        std: Likewise.
    """

    unit_range = True

    def __init__(
        self,
        classifier: nn.Module,
        *,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__()
        if (mean is None) != (std is None):
            raise InputError("mean and std go together: give both or neither.")
        check_module(classifier)
        self.classifier = classifier
        given = (mean, std) if mean is not None and std is not None else normalization(classifier)
        if given is None:
            _warn_unnormalised(classifier)
        mean, std = given or ((0.0,), (1.0,))
        _check_statistics(mean, std, input_channels(classifier))
        like = next(classifier.parameters(), torch.zeros(()))
        shape = (1, -1, 1, 1)
        self.register_buffer("mean", torch.tensor(mean, device=like.device).view(shape), False)
        self.register_buffer("std", torch.tensor(std, device=like.device).view(shape), False)
        self.mean: Tensor
        self.std: Tensor
        self.identity = all(m == 0 for m in mean) and all(s == 1 for s in std)

    def normalize(self, images: Tensor) -> Tensor:
        """From [0, 1] to what the classifier takes."""
        if self.identity:
            return images
        return (images - self.mean.to(images.dtype)) / self.std.to(images.dtype)

    def denormalize(self, images: Tensor) -> Tensor:
        """From what the classifier takes to [0, 1]."""
        if self.identity:
            return images
        return images * self.std.to(images.dtype) + self.mean.to(images.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of ``images``, (N, C, H, W) in [0, 1]."""
        return self.classifier(self.normalize(images))


def _check_statistics(mean: Any, std: Any, channels: int | None) -> None:
    """Raise an `InputError` unless there is one mean, and one std above 0, a channel."""
    try:
        fits = len(mean) == len(std) and (channels is None or len(mean) in (1, channels))
        fits = fits and all(map(math.isfinite, (*mean, *std))) and min(std) > 0
    except TypeError:
        fits = False
    if not fits:
        raise InputError(
            f"mean is {mean!r} and std {std!r}; expected one number a channel each"
            f"{f', {channels}' if channels else ''}, and stds above 0."
        )


def with_unit_range(classifier: nn.Module) -> nn.Module:
    """The classifier as one that takes [0, 1]: itself if it already does."""
    check_module(classifier)
    if getattr(unwrapped(classifier), "unit_range", False):
        return classifier
    if normalization(classifier) is None:
        _warn_unnormalised(classifier)
        return classifier
    return NormalizedClassifier(classifier)


def check_classifier(classifier: nn.Module, images: Tensor, name: str = "x") -> None:
    """Check that images fit a classifier: layout, channels, device.

    Raises:
        InputError: With what came, what is expected, and what would fix it.
    """
    check_module(classifier)
    check_layout(images, name, input_channels(classifier))
    check_device(images, name, classifier, "classifier")


def check_logits(logits: Any, count: int, classifier: nn.Module) -> None:
    """Check what a classifier says of ``count`` images: logits (N, classes), none of them NaN.

    Raises:
        InputError: With what came, and what is expected.
    """
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else ()
    if len(shape) != 2 or shape[0] != count:
        came = f"a {type(logits).__name__} {shape or ''}".rstrip() + f" for {count} image(s)"
        expected = "logits (N, classes). A module around it may give these alone"
    elif wrong := int(logits.isnan().any(dim=1).sum()):
        came = f"NaN for {wrong} of {count} image(s)"
        expected = "numbers. Check its weights, and its precision if it runs in float16"
    else:
        return
    raise InputError(
        f"The classifier {classifier_name(classifier)!r} gives {came}; expected {expected}."
    )


def answers(classifier: nn.Module, images: Tensor) -> Tensor:
    """Logits (N, classes) of a frozen classifier, for images that it leaves as they are.

    Raises:
        InputError: If it gives something else, or changes the images.
    """
    given = images.clone()
    before = version(given)
    with torch.no_grad(), frozen(classifier):
        logits: Tensor = classifier(given)
    if version(given) != before:
        raise InputError(
            f"The classifier {classifier_name(classifier)!r} changes the images that it is given, "
            "in place, as x.sub_(mean) does; expected that it leaves them: x = x - mean."
        )
    check_logits(logits, len(images), classifier)
    return logits
