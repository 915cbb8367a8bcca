"""Image files: reading and writing them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import (
    Image,
    ImageOps,
    TiffImagePlugin,  # noqa: F401  it and the next register themselves
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)
from torch import Tensor

from robust_restoration.errors import DataError, InputError
from robust_restoration.files import atomic_path

from .checks import check_images, check_layout
from .folders import SUFFIXES

DEEP = (".png", ".tif", ".tiff")  # formats that keep 16 bits
# What a file may be, whatever it is called: of Pillow's other decoders one starts a program.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
WHOLE = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # modes that hold more than 8 bits
BITS, PHOTOMETRIC, SIGN = 258, 262, 339  # TIFF's tags


def read_image(path: Path | str) -> Tensor:
    """Read an image file, upright as its EXIF orientation says.

    Args:
        path: PNG, JPEG, WebP, BMP or TIFF; gray of 8, 16 or 32 bits, or colour of 8 bits.
            A layer of transparency that covers nothing is dropped; of several pages the first is
            read.

    Returns:
        (C, H, W) float32 in [0, 1], C = 1 or 3.

    Raises:
        DataError: If the file is missing, damaged, too large, not an image, transparent, or colour
            of 16 bits, or its values mean something else than brightness from black up.
    """
    path = Path(path)
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path} is a link to a file that does not exist.")
    if not path.exists():
        raise DataError(f"There is no file {path}.")
    if not path.is_file():  # opening a pipe would wait for ever
        raise DataError(f"{path} is not a file{' but a folder' if path.is_dir() else ''}.")
    try:
        with Image.open(path, formats=FORMATS) as image:
            _check_kind(image, path)
            image.load()
            see_through = image.mode.lower().endswith("a") or "transparency" in image.info
            if see_through and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
                raise DataError(
                    f"{path} is transparent in places, which cannot be kept; save it without an "
                    "alpha channel, on the background that it is meant to have."
                )
            pixels = _pixels(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path} is larger than Pillow trusts a file to be ({error}). If it is meant to be, "
            "set PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except DataError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} is damaged or not an image ({error}).") from error
    found = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    try:  # floating-point and 32-bit files may hold anything
        check_images(found[None], path.name, fix="save it with 8 or 16 bits a channel")
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    return found


def _check_kind(image: Image.Image, path: Path) -> None:
    """Refuse what Pillow would read as something else without a word."""
    tags: Any = getattr(image, "tag_v2", {})
    raw = [str(tile[3]) for tile in getattr(image, "tile", [])]
    deep = max(tags.get(BITS, (8,))) > 8 or any(";16" in kind for kind in raw)
    if deep and image.mode not in WHOLE:
        raise DataError(
            f"{path} has 16 bits a channel in colour or with transparency, which cannot be kept; "
            "save it with 8 bits, or each channel as a gray image."
        )
    if deep and (tags.get(PHOTOMETRIC) == 0 or 2 in tags.get(SIGN, ())):
        kind = "a negative" if tags.get(PHOTOMETRIC) == 0 else "signed numbers"
        raise DataError(
            f"{path} holds {kind} of more than 8 bits, which is not read; save it with 0 as black "
            "and no sign."
        )


def _pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    """(H, W, C) float32."""
    whole = image.mode in WHOLE
    scale = {"F": 1.0}.get(image.mode, 65535.0 if whole else 255.0)
    plain = image if whole else image.convert("L" if image.mode in ("L", "1", "LA") else "RGB")
    pixels = np.asarray(plain).astype(np.float32) / np.float32(scale)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def write_image(image: Tensor, path: Path | str, *, bits: int = 8) -> None:
    """Write an image file, atomically; rounds to 8 or 16 bits.

    Args:
        image: (C, H, W) in [0, 1], C = 1 or 3.
        path: Its suffix chooses the format.
        bits: 16 keeps them in gray PNG and TIFF files; elsewhere 8 are written.

    Raises:
        InputError: If the suffix is not a known one, or the image not such a one.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"Cannot write {path.name!r}: expected a name that ends in one of "
            f"{', '.join(SUFFIXES)}."
        )
    check_layout(image[None] if isinstance(image, Tensor) else image, "image")
    if len(image) not in (1, 3) or bits not in (8, 16) or not bool(torch.isfinite(image).all()):
        raise InputError(
            f"image has shape {tuple(image.shape)}, and bits is {bits}; expected finite values "
            "(C, H, W) of 1 or 3 channels, and 8 or 16 bits."
        )
    values = image.detach().float().clamp(0, 1).cpu().numpy()
    if bits == 16 and len(values) == 1 and path.suffix.lower() in DEEP:
        pixels = (values * 65535).round().astype(np.uint16)
    else:
        pixels = (values * 255).round().astype(np.uint8)
    pixels = pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)
    lossy = path.suffix.lower() in (".jpg", ".jpeg", ".webp")
    options: dict[str, Any] = {"quality": 95} if lossy else {}
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, **options)
