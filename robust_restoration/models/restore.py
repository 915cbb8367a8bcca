"""Calling a denoiser, with everything checked that can go wrong with somebody else's."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser, frozen, unwrapped
from robust_restoration.contracts.freezing import version
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_finite, check_layout, check_made, check_one_each
from robust_restoration.images.metrics import psnr
from robust_restoration.numbers import check_level

from . import precision
from .classifiers import check_module

Level = float | Tensor | None
PERFECT = 100.0  # dB that an image counts that is restored exactly


def restore(
    denoiser: nn.Module,
    observed: Tensor,
    sigma: Level = None,
    *,
    given: Mapping[str, Any] | None = None,
    like: Tensor | None = None,
) -> Tensor:
    """Restore images with a `Denoiser`, or with any module that maps images to images.

    Args:
        denoiser: A plain module is given ``sigma`` where its forward has an argument of that name.
        observed: (N, C, H, W), values in [0, 1] or about it.
        sigma: The noise level as a fraction of [0, 1], a float or (N,); required where the denoiser
            is not blind.
        given: What a `Degradation` gives beside the observed images. The denoiser gets those of
            its names that its forward has; a blind `Denoiser` gets no ``sigma``.
        like: Images of the shape that is expected; that of ``observed`` by default.

    Returns:
        (N, C, H, W), not clamped.

    Raises:
        InputError: If the images or the level are not what the denoiser expects, or it gives
            something that is not a finite image of the expected shape.
    """
    check_module(denoiser, "denoiser")
    name, inner = type(denoiser).__name__, unwrapped(denoiser)
    # A plain module's `channels`, if it has one, may be anything, such as a U-Net's widths.
    check_layout(observed, "observed", inner.channels if isinstance(inner, Denoiser) else None)
    more = {key: value for key, value in (given or {}).items() if key in _named(inner)}
    noise_level = more.pop("sigma", None)
    if sigma is None and not (isinstance(inner, Denoiser) and inner.blind):
        sigma = noise_level
    sigma = _level(sigma, observed, inner)
    before = version(observed)
    if isinstance(inner, Denoiser):  # by position: what a subclass calls it is its own affair
        restored = denoiser(observed, sigma, **more)
    elif takes_sigma(denoiser):
        restored = denoiser(observed, sigma=sigma, **more)
    else:
        restored = denoiser(observed, **more)
    if version(observed) != before:
        raise InputError(
            f"{name} changes the images that it is given in place; its forward is to work on a "
            "copy. The images are as it left them; load them again."
        )
    hint = (
        "a denoiser must keep the shape. If its network needs sides that are multiples of some "
        "number, pad and crop inside its forward"
        if like is None
        else f"expected the clean images' shape {tuple(like.shape)}"
    )
    check_made(restored, observed, name, hint, like)
    check_finite(restored, name)
    return restored


def takes_sigma(denoiser: nn.Module) -> bool:
    """Whether a denoiser takes the noise level."""
    return isinstance(unwrapped(denoiser), Denoiser) or "sigma" in _named(denoiser)


def _named(denoiser: nn.Module) -> set[str]:
    """What a module's forward takes by name, but for the images themselves."""
    try:
        parameters = list(inspect.signature(denoiser.forward).parameters.values())
    except (TypeError, ValueError):
        return set()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in parameters[1:] if p.kind in by_name}


def conditioning(denoiser: nn.Module, sigma: float | None) -> float | None:
    """The level that a denoiser is given for noise of ``sigma``; none where it is blind."""
    inner = unwrapped(denoiser)
    return None if isinstance(inner, Denoiser) and inner.blind else sigma


def _level(sigma: Level, observed: Tensor, denoiser: nn.Module) -> Level:
    if sigma is None:
        if isinstance(denoiser, Denoiser) and not denoiser.blind:
            raise InputError(
                f"{type(denoiser).__name__} needs the noise level and got none: give "
                "sigma=25/255, say."
            )
        return None
    if isinstance(sigma, Tensor):
        check_one_each("sigma", sigma, len(observed))
        sigma = sigma.to(observed)
    check_level("sigma", sigma)
    return sigma


def restored(
    denoiser: nn.Module,
    images: Tensor,
    sigma: Level = None,
    autocast: str | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    like: Tensor | None = None,
) -> Tensor:
    """Images restored in eval mode and without gradients, (N, C, H, W) float32.

    Args:
        denoiser: The denoiser.
        images: (N, C, H, W).
        sigma: What it is given, see `conditioning`.
        autocast: ``"bf16"``, ``"fp16"`` or ``None``.
        given: As in `restore`.
        like: As in `restore`.
    """
    with torch.no_grad(), frozen(denoiser), precision.autocast(images, autocast):
        return restore(denoiser, images, sigma, given=given, like=like).float()


def quality(restored_images: Tensor, clean: Tensor) -> Tensor:
    """(N,) PSNR in dB, at most 100, so that means stay finite."""
    return psnr(restored_images, clean).clamp(max=PERFECT)
