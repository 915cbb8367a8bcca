"""Checks of images that come in, and of what networks make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError, check_type


def check_layout(
    images: Tensor,
    name: str = "x",
    channels: int | None = None,
    network: nn.Module | None = None,
) -> None:
    """Check kind, dtype and shape, which costs nothing; values are not looked at.

    Args:
        images: What should be (N, C, H, W), floating-point, N > 0.
        name: What the caller calls it.
        channels: How many channels are expected; ``None`` for any number.
        network: What the images go into, whose weights must have their precision.

    Raises:
        InputError: With what came, what is expected, and what would fix it.
    """
    maker = "torchvision.transforms.functional.to_tensor"
    expected = f"a torch tensor (N, C, H, W) in [0, 1], such as {maker} gives"
    check_type(name, images, Tensor, expected)
    if images.ndim != 4:
        fix = f"or (C, H, W). A gray image (H, W) becomes one with {name}[None, None]"
        fix = f"as {name}[None] makes of one image" if images.ndim == 3 else fix
        raise InputError(f"{name} has shape {tuple(images.shape)}; expected (N, C, H, W) {fix}.")
    if not images.is_floating_point():
        fix = " / 255" if images.dtype == torch.uint8 else ""
        raise InputError(
            f"{name} has dtype {images.dtype}; expected floating-point values in [0, 1]: "
            f"{name}.float(){fix}."
        )
    if 0 in images.shape:
        raise InputError(f"{name} has shape {tuple(images.shape)}, which holds no image.")
    if channels is not None and images.shape[1] != channels:
        fix = {
            (1, 3): f": {name}.expand(-1, 3, -1, -1) makes gray images colour",
            (3, 1): f": kornia.color.rgb_to_grayscale({name}) makes colour images gray",
        }.get((images.shape[1], channels), "")
        raise InputError(
            f"{name} has {images.shape[1]} channels (shape {tuple(images.shape)}); "
            f"expected {channels}{fix}."
        )
    if network is not None:
        _check_precision(images, name, network)


def _check_precision(images: Tensor, name: str, network: nn.Module) -> None:
    """Refuse images of another precision than the weights, unless autocast sees to that."""
    for weights in network.parameters():
        if not weights.is_floating_point():
            continue
        if weights.dtype != images.dtype and not torch.is_autocast_enabled(images.device.type):
            raise InputError(
                f"{name} has dtype {images.dtype}, and the weights of {type(network).__name__} "
                f"have {weights.dtype}; expected one precision for both: give "
                f"{name}.to({weights.dtype}), or convert the network with "
                f".to({images.dtype})."
            )
        return


def check_one_each(name: str, values: Tensor, count: int) -> None:
    """Raise an `InputError` unless a tensor is one number, or (N,) with one for each image."""
    if values.ndim and values.shape != (count,):
        raise InputError(
            f"{name} has shape {tuple(values.shape)} for {count} images; expected one number, or "
            f"({count},)."
        )


def check_device(images: Tensor, name: str, network: nn.Module, kind: str) -> None:
    """Raise an `InputError` where images are on another device than a network's parameters."""
    device = next(network.parameters(), images).device
    if images.device != device:
        raise InputError(
            f"{name} is on {images.device} and the {kind} on {device}: "
            f"{name}.to({str(device)!r}) or {kind}.to({str(images.device)!r})."
        )


def check_images(
    images: Tensor, name: str = "x", channels: int | None = None, fix: str = ""
) -> None:
    """Check layout and values: floating-point (N, C, H, W), finite, in [0, 1].

    Args:
        images: What to check.
        name: What the caller calls it.
        channels: How many channels are expected; ``None`` for any number.
        fix: What would help if values lie outside [0, 1].

    Raises:
        InputError: With what came, what is expected, and what would fix it.
    """
    check_layout(images, name, channels)
    low, high = (float(v) for v in torch.aminmax(images.detach()))
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int((~torch.isfinite(images)).sum())
        raise InputError(
            f"{name} has {bad} NaN or infinite values; expected finite values in [0, 1]. "
            f"torch.nan_to_num({name}) replaces them, if they are meant to be there."
        )
    if low < 0 or high > 1:
        fix = fix or f"{name}.clamp(0, 1) cuts them off"
        raise InputError(
            f"{name} has values from {low:.4g} to {high:.4g}; expected [0, 1]. {fix[0].upper()}"
            f"{fix[1:]}."
        )


def check_made(
    made: Any, given: Tensor, maker: str, hint: str, like: Tensor | None = None
) -> None:
    """Check kind, shape and dtype of what a network made of images; values are not looked at.

    Args:
        made: What should be floating-point images.
        given: (N, C, H, W), of what it was made.
        maker: What made it.
        hint: What is expected where it has another shape.
        like: Images of the shape that is expected; that of ``given`` by default.

    Raises:
        InputError: With what came, and what is expected.
    """
    if not isinstance(made, Tensor):
        came, expected = f"a {type(made).__name__}", "expected a tensor of images"
    elif made.shape != (given if like is None else like).shape:
        came, expected = str(tuple(made.shape)), hint
    elif not made.is_floating_point():
        came, expected = f"images in {made.dtype}", "expected floating point"
    else:
        return
    raise InputError(f"{maker} makes {came} of {tuple(given.shape)}; {expected}.")


def check_finite(made: Tensor, maker: str) -> None:
    """Raise an `InputError` where what a network made, (N, C, H, W), is not finite."""
    if not bool(torch.isfinite(made.detach().sum())):
        bad = int((~torch.isfinite(made)).flatten(1).any(dim=1).sum())
        if bad:  # a sum of finite values may overflow
            raise InputError(
                f"{maker} gives NaN or infinite values in {bad} of {len(made)} images; expected "
                "finite ones. Check its weights, and its precision if it runs in float16."
            )
