"""Checks of denoisers and purifiers: modules that map images to images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Denoiser, Purifier
from robust_restoration.errors import one_line

from .rules import ConformanceError, difference, refuses, rule, state_of

SIZES = ((24, 24), (17, 23))
DTYPES = (torch.float32, torch.float64)
ImageMap = Callable[[nn.Module, Tensor], Tensor]


def check_denoiser(
    denoiser: nn.Module,
    *,
    channels: int | None = None,
    sizes: Sequence[tuple[int, int]] = SIZES,
    dtypes: Sequence[torch.dtype] = DTYPES,
    device: torch.device | str | None = None,
) -> None:
    """Check a denoiser against the contract of `Denoiser`.

    Args:
        denoiser: A `Denoiser`, or any module that maps images to images.
        channels: How many channels to try it with; by default what it declares, or both 1 and 3.
        sizes: (height, width) of the images it is tried on.
        dtypes: Of the images; it is converted to each.
        device: Where to try it; by default where it is.

    Raises:
        ConformanceError: With the first rule it breaks.

    Example:
        >>> check_denoiser(create_denoiser("mine"))
    """
    name = type(denoiser).__name__
    rule(isinstance(denoiser, nn.Module), f"{name} is no torch.nn.Module.")
    blind = getattr(denoiser, "blind", True)
    low, high = getattr(denoiser, "sigma_range", (0.0, 1.0))
    rule(isinstance(blind, bool), f"{name}.blind is {blind!r}; expected True or False.")
    rule(0 <= low <= high, f"{name}.sigma_range is ({low}, {high}); expected 0 <= low <= high.")
    sigma = (low + high) / 2

    def call(model: nn.Module, noisy: Tensor) -> Tensor:
        return model(noisy) if blind else model(noisy, sigma)

    tried = _check_image_map(denoiser, call, channels, sizes, dtypes, device, unit_range=False)
    if isinstance(denoiser, Denoiser):
        for model, images in tried:
            levels = torch.tensor([low + (high - low) / 4, sigma]).to(images)
            _check_sigma(model, images, levels, blind)


def _check_sigma(model: nn.Module, images: Tensor, levels: Tensor, blind: bool) -> None:
    """Noise levels given as a float and as a tensor (N,)."""
    name = type(model).__name__
    with torch.no_grad():
        try:
            mixed = model(images, sigma=levels)
            alone = torch.cat([model(images[i : i + 1], float(levels[i])) for i in (0, 1)])
        except Exception as error:
            raise ConformanceError(
                f"{name} fails when given sigma, once a float and once a tensor (N,): "
                f"{one_line(error)}."
            ) from error
        rule(mixed.shape == images.shape, f"{name} changes the shape when given sigma.")
        rule(
            getattr(model, "random", False) or torch.allclose(mixed, alone, atol=1e-3),
            f"{name} with sigma of shape (N,) does not restore each image as with its own sigma "
            "as a float.",
        )
        if not blind:
            refuses(lambda: model(images), f"{name} is not blind, and without sigma")


def check_purifier(
    purifier: nn.Module,
    *,
    channels: int | None = None,
    sizes: Sequence[tuple[int, int]] = SIZES,
    dtypes: Sequence[torch.dtype] = DTYPES,
    device: torch.device | str | None = None,
) -> None:
    """Check a purifier against the contract of `Purifier`; arguments as in `check_denoiser`.

    Args:
        purifier: A `Purifier`, or any module that maps images in [0, 1] to the same.
        channels: As in `check_denoiser`.
        sizes: As in `check_denoiser`.
        dtypes: As in `check_denoiser`.
        device: As in `check_denoiser`.

    Raises:
        ConformanceError: With the first rule it breaks.
    """
    name = type(purifier).__name__
    rule(isinstance(purifier, nn.Module), f"{name} is no torch.nn.Module.")

    def call(model: nn.Module, images: Tensor) -> Tensor:
        return model(images)

    _check_image_map(purifier, call, channels, sizes, dtypes, device, unit_range=True)


def _check_image_map(
    module: nn.Module,
    call: ImageMap,
    channels: int | None,
    sizes: Sequence[tuple[int, int]],
    dtypes: Sequence[torch.dtype],
    device: torch.device | str | None,
    unit_range: bool,
) -> list[tuple[nn.Module, Tensor]]:
    """The rules that denoisers and purifiers share; returns what it was tried with."""
    name = type(module).__name__
    declared = getattr(module, "channels", None)
    rule(
        declared is None or (isinstance(declared, int) and declared > 0),
        f"{name}.channels is {declared!r}; expected a number of channels, or None for any.",
    )
    for attribute in ("random", "differentiable"):
        value = getattr(module, attribute, False)
        rule(isinstance(value, bool), f"{name}.{attribute} is {value!r}; expected True or False.")
    random = getattr(module, "random", False)
    differentiable = getattr(module, "differentiable", True)
    expected = channels or declared
    tried: list[tuple[nn.Module, Tensor]] = []
    for dtype in dtypes:
        model = _copy(module).to(device=device, dtype=dtype).eval()
        for count in (expected,) if expected else (1, 3):
            for size in sizes:
                images = _sample(model, count, size, dtype, device)
                _check_one_call(model, call, images, unit_range)
                if unit_range:
                    _check_one_call(model, call, images.round(), unit_range)  # all 0 and 1
            tried.append((model, images))
    for model, images in tried:
        with torch.no_grad():
            first, second = call(model, images), call(model, images)
            if random:
                rule(
                    not torch.equal(first, second),
                    f"{name} says random=True, yet two calls on the same images agree.",
                )
            else:
                rule(
                    torch.equal(first, second),
                    f"{name} says random=False, yet two calls on the same images differ.",
                )
                close = max(1e-4, 4 * torch.finfo(images.dtype).eps)
                rule(
                    torch.allclose(first[1:], call(model, images[1:]), atol=close),
                    f"{name} restores an image differently alone and in a batch.",
                )
    model, images = tried[-1]
    follows = _follows_gradient(lambda x: call(model, x), images)
    if differentiable:
        rule(
            follows,
            f"{name} says differentiable=True, yet its gradients are missing, zero, or not those "
            "of its output.",
        )
    else:
        rule(not follows, f"{name} says differentiable=False, yet its gradients are right.")
    if declared and isinstance(module, Denoiser | Purifier):
        other = _sample(model, 1 if declared != 1 else 3, sizes[0], dtypes[-1], device)
        refuses(lambda: call(model, other), f"{name} takes {declared} channels, and given others")
    return tried


def _check_one_call(model: nn.Module, call: ImageMap, images: Tensor, unit_range: bool) -> None:
    """One call in eval mode: kind and range of the result, and that nothing else changed."""
    name = type(model).__name__
    what = f"images of shape {tuple(images.shape)} and {images.dtype}"
    before, state = images.clone(), state_of(model)
    try:
        with torch.no_grad():
            out = call(model, images)
    except Exception as error:
        raise ConformanceError(f"{name} raises on {what}: {one_line(error)}.") from error
    rule(isinstance(out, Tensor), f"{name} returns a {type(out).__name__}; expected a tensor.")
    for fact in ("shape", "dtype", "device"):
        rule(
            getattr(out, fact) == getattr(images, fact),
            f"{name} returns {fact} {getattr(out, fact)} for {what} on {images.device}.",
        )
    rule(bool(torch.isfinite(out).all()), f"{name} returns NaN or infinity for {what}.")
    rule(torch.equal(before, images), f"{name} changes its input in place.")
    changed = difference(state, state_of(model))
    rule(not changed, f"{name} changes {changed} when called in eval mode.")
    if unit_range:
        low, high = float(out.min()), float(out.max())
        rule(
            low >= 0 and high <= 1,
            f"{name} returns values from {low:.4g} to {high:.4g}; expected [0, 1].",
        )


def _copy(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except Exception as error:
        raise ConformanceError(
            f"{type(module).__name__} cannot be copied with copy.deepcopy, as training does for "
            f"moving averages: {one_line(error)}."
        ) from error


def _sample(
    model: nn.Module,
    channels: int,
    size: tuple[int, int],
    dtype: torch.dtype,
    device: torch.device | str | None,
) -> Tensor:
    """Two images (2, C, H, W), inside of [0, 1] so that clamping does not hide gradients."""
    home = device or next((t.device for t in (*model.parameters(), *model.buffers())), "cpu")
    generator = Generator().manual_seed(0)
    return (0.1 + 0.8 * torch.rand(2, channels, *size, generator=generator)).to(home, dtype)


def _follows_gradient(function: Callable[[Tensor], Tensor], images: Tensor) -> bool:
    """Whether backward gives, along a direction, the slope that finite differences give."""
    generator = Generator().manual_seed(1)
    direction = torch.randn(images.shape, generator=generator).to(images)
    weight = torch.randn(images.shape, generator=generator).to(images)

    def value(x: Tensor) -> Tensor:
        torch.manual_seed(0)  # the same draw each time, where it is random
        return (function(x) * weight).double().sum()

    with torch.random.fork_rng():
        leaf = images.clone().requires_grad_()
        total = value(leaf)
        if not total.requires_grad:
            return False
        (gradient,) = torch.autograd.grad(total, leaf, allow_unused=True)
        if gradient is None or not torch.isfinite(gradient).all() or not gradient.any():
            return False
        expected, scale = float((gradient * direction).sum()), float(gradient.norm())
        for step in (1e-6, 1e-3):  # the second for what works in float32 inside
            with torch.no_grad():
                rise = value(images + step * direction) - value(images - step * direction)
            if abs(float(rise) / (2 * step) - expected) <= 0.05 * scale:
                return True
    return False
