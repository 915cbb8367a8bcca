"""Images: checks of what comes in, reading, writing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from .errors import DataError, InputError
from .files import atomic_path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
STRIP = ".strip.png"  # pictures for people, beside attacked images


def check_layout(images: Tensor, name: str = "x", channels: int | None = None) -> None:
    """Check kind, dtype and shape, which costs nothing; values are not looked at.

    Args:
        images: What should be (N, C, H, W), floating-point, N > 0.
        name: What the caller calls it.
        channels: How many channels are wanted; ``None`` for any number.

    Raises:
        InputError: With what came, what is wanted, and what would fix it.
    """
    if not isinstance(images, Tensor):
        raise InputError(
            f"{name} is a {type(images).__name__}; wanted a torch tensor (N, C, H, W) in [0, 1], "
            "such as torchvision.transforms.functional.to_tensor gives."
        )
    if images.ndim != 4:
        raise InputError(
            f"{name} has shape {tuple(images.shape)}; wanted (N, C, H, W) or (C, H, W). "
            f"A gray image (H, W) becomes one with {name}[None, None]."
        )
    if not images.is_floating_point():
        fix = " / 255" if images.dtype == torch.uint8 else ""
        raise InputError(
            f"{name} has dtype {images.dtype}; wanted floating-point values in [0, 1]: "
            f"{name}.float(){fix}."
        )
    if 0 in images.shape:
        raise InputError(f"{name} has shape {tuple(images.shape)}, which holds no image.")
    if channels is not None and images.shape[1] != channels:
        fix = ""
        if channels == 3 and images.shape[1] == 1:
            fix = f": {name}.expand(-1, 3, -1, -1) makes gray images colour"
        elif channels == 1 and images.shape[1] == 3:
            fix = f": kornia.color.rgb_to_grayscale({name}) makes colour images gray"
        raise InputError(
            f"{name} has {images.shape[1]} channels (shape {tuple(images.shape)}); "
            f"wanted {channels}{fix}."
        )


def check_images(
    images: Tensor, name: str = "x", channels: int | None = None, fix: str = ""
) -> None:
    """Check layout and values: floating-point (N, C, H, W), finite, in [0, 1].

    Args:
        images: What to check.
        name: What the caller calls it.
        channels: How many channels are wanted; ``None`` for any number.
        fix: What would help if values lie outside [0, 1].

    Raises:
        InputError: With what came, what is wanted, and what would fix it.
    """
    check_layout(images, name, channels)
    low, high = (float(v) for v in torch.aminmax(images.detach()))
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int((~torch.isfinite(images)).sum())
        raise InputError(
            f"{name} has {bad} NaN or infinite values; wanted finite values in [0, 1]. "
            f"torch.nan_to_num({name}) replaces them, if they are meant to be there."
        )
    if low < 0 or high > 1:
        fix = fix or f"{name}.clamp(0, 1) cuts them off"
        raise InputError(
            f"{name} has values from {low:.4g} to {high:.4g}; wanted [0, 1]. {fix[0].upper()}"
            f"{fix[1:]}."
        )


def read_image(path: Path | str) -> Tensor:
    """Read an image file.

    Args:
        path: PNG, JPEG, WebP, BMP or TIFF; 8 or 16 bits; gray or colour. Transparency is dropped.

    Returns:
        (C, H, W) float32 in [0, 1], C = 1 or 3.

    Raises:
        DataError: If the file is missing, damaged or no image.
    """
    path = Path(path)
    pixels: np.ndarray[Any, Any]
    try:
        with Image.open(path) as image:
            image.load()
            if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
                pixels = np.asarray(image).astype(np.float32)
                pixels = pixels / 65535 if image.mode != "F" else pixels
            elif image.mode in ("L", "1", "LA"):
                pixels = np.asarray(image.convert("L")).astype(np.float32) / 255
            else:
                pixels = np.asarray(image.convert("RGB")).astype(np.float32) / 255
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} is damaged or no image ({error}).") from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def write_image(image: Tensor, path: Path | str) -> None:
    """Write an image file, atomically; rounds to 8 bits.

    Args:
        image: (C, H, W) in [0, 1], C = 1 or 3.
        path: Its suffix chooses the format.

    Raises:
        InputError: If the suffix is not a known one.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"Cannot write {path.name!r}: wanted a name that ends in one of {', '.join(SUFFIXES)}."
        )
    pixels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    pixels = pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)
    lossy = path.suffix.lower() in (".jpg", ".jpeg", ".webp")
    options: dict[str, Any] = {"quality": 95} if lossy else {}
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, **options)


def find_images(paths: Iterable[Path | str]) -> list[tuple[Path, Path]]:
    """Image files among files and folders.

    Args:
        paths: Files, and folders that are searched to the bottom, but for strips of pictures
            (``*.strip.png``) that stand beside attacked images.

    Returns:
        (file, its path relative to what was given) pairs, in order; two equal relative paths
        are kept apart by their parents' names.

    Raises:
        DataError: If a path does not exist, or nothing at all is found.
    """
    found: list[tuple[Path, Path]] = []
    names: set[Path] = set()
    for given in map(Path, paths):
        if not given.exists():
            raise DataError(f"There is no file or folder {given}.")
        files = [given]
        if given.is_dir():
            files = sorted(
                p for p in given.rglob("*")
                if p.suffix.lower() in SUFFIXES and not p.name.endswith(STRIP)
            )
        for file in files:
            relative = file.relative_to(given) if given.is_dir() else Path(file.name)
            if relative in names:
                relative = Path(file.parent.name) / relative
            if relative in names:
                raise DataError(
                    f"Two of the images would both be written as {relative}; "
                    "give them in separate calls."
                )
            names.add(relative)
            found.append((file, relative))
    if not found:
        raise DataError(f"No image was found (looked for {', '.join(SUFFIXES)}).")
    return found
