"""Image files: finding, reading and writing them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from robust_restoration.errors import DataError, InputError
from robust_restoration.files import atomic_path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
STRIP = ".strip.png"  # pictures for people, beside attacked images


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
            f"Cannot write {path.name!r}: expected a name that ends in one of "
            f"{', '.join(SUFFIXES)}."
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
