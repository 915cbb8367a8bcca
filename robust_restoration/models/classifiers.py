"""Classifiers: loading them by name or file, and their normalisation, read and never guessed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import unwrapped
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout


def pretrained_cfg(classifier: nn.Module) -> dict[str, Any]:
    """A timm classifier's ``pretrained_cfg`` as a dict; empty for a plain module."""
    config = getattr(unwrapped(classifier), "pretrained_cfg", None)
    if config is None:
        return {}
    if hasattr(config, "to_dict"):
        return dict(config.to_dict())
    return dict(config)


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
    if "mean" not in config or "std" not in config:
        return None
    mean, std = tuple(config["mean"]), tuple(config["std"])
    channels = input_channels(classifier)
    if channels is not None and len(mean) != channels:  # timm keeps 3 values also for in_chans=1
        mean = (sum(mean) / len(mean),) * channels
        std = (sum(std) / len(std),) * channels
    return mean, std


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
        self.classifier = classifier
        given = (mean, std) if mean is not None and std is not None else normalization(classifier)
        mean, std = given or ((0.0,), (1.0,))
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


def with_unit_range(classifier: nn.Module) -> nn.Module:
    """The classifier as one that takes [0, 1]: itself if it already does."""
    if getattr(unwrapped(classifier), "unit_range", False) or normalization(classifier) is None:
        return classifier
    return NormalizedClassifier(classifier)


def check_classifier(classifier: nn.Module, images: Tensor, name: str = "x") -> None:
    """Check that images fit a classifier: layout, channels, device.

    Raises:
        InputError: With what came, what is expected, and what would fix it.
    """
    check_layout(images, name, input_channels(classifier))
    parameter = next(classifier.parameters(), None)
    if parameter is not None and parameter.device != images.device:
        raise InputError(
            f"{name} is on {images.device} and the classifier on {parameter.device}: "
            f"{name}.to({str(parameter.device)!r}) or classifier.to({str(images.device)!r})."
        )


def load_classifier(name: str, *, num_classes: int | None = None) -> nn.Module:
    """Load a trained classifier, in eval mode.

    Args:
        name: One of: a timm name (``resnet18.a1_in1k``; the weights come from the hub); a folder
            with ``config.json`` and ``model.safetensors`` as timm's ``save_for_hf`` writes it;
            ``ARCHITECTURE:FILE.safetensors`` for a timm architecture with weights from a file;
            or ``package.module:function`` for a function that returns the classifier.
        num_classes: Passed to timm where the number differs from the architecture's own.

    Raises:
        InputError: If the name is none of these, or the weights do not fit.
    """
    import timm

    options: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    head, colon, tail = name.partition(":")
    if colon and tail.endswith(".safetensors"):
        if head not in timm.list_models():
            from robust_restoration.errors import did_you_mean

            raise InputError(
                f"timm has no architecture {head!r}. {did_you_mean(head, timm.list_models())}"
            )
        from .weights import load_weights

        model = timm.create_model(head, **options)
        load_weights(model, tail)
        return model.eval()
    if colon and not head.startswith(("hf-hub", "local-dir")) and "/" not in head:
        try:
            model = getattr(importlib.import_module(head), tail)()
        except (ImportError, AttributeError) as error:
            raise InputError(f"{name!r} does not import as a function: {error}.") from error
        return model.eval()
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise InputError(
                f"{name} has no config.json; expected a folder that timm.models.save_for_hf wrote."
            )
        return timm.create_model(f"local-dir:{name}", pretrained=True, **options).eval()
    if Path(name).suffix in (".safetensors", ".pth", ".pt", ".bin"):
        raise InputError(
            f"{name} is a file of weights; write which architecture it is for, such as "
            f"resnet18:{Path(name).with_suffix('.safetensors').name}."
        )
    if not colon and name.split(".")[0] not in timm.list_models():
        from robust_restoration.errors import did_you_mean

        raise InputError(
            f"{name!r} is no timm model, folder, ARCHITECTURE:FILE.safetensors or "
            f"package.module:function. {did_you_mean(name, timm.list_models())}"
        )
    try:
        return timm.create_model(name, pretrained=True, **options).eval()
    except Exception as error:  # timm and the hub raise many kinds
        raise InputError(f"The weights of {name!r} could not be had: {error}") from error
