"""Labelled images out of arrays, such as an ``.npz`` file holds."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robust_restoration.data.labelled import LabelledImages
from robust_restoration.errors import DataError, what_is_wrong

Array = np.ndarray[Any, Any]


def from_arrays(x: Array, y: Array, source: Path, name: str = "") -> LabelledImages:
    """Labelled images of arrays.

    Args:
        x: (N, H, W, C) uint8.
        y: (N,) integers.
        source: The file they come from, for messages.
        name: What tables call them.

    Raises:
        DataError: If there is not one integer an image.
    """
    if y.ndim != 1 or y.dtype.kind not in "ui" or len(x) != len(y) or not len(x):
        raise DataError(
            f"{source} has {len(x)} images and labels of shape {y.shape} and type {y.dtype}; "
            "expected one integer an image."
        )
    images = torch.from_numpy(np.array(x.transpose(0, 3, 1, 2), order="C"))
    return LabelledImages(images, torch.from_numpy(y.astype(np.int64)), name=name)


def read_npz(path: Path, limit: int | None) -> tuple[Array, Array]:
    """``x`` (N, H, W, C) uint8 and ``y`` (N,) of an ``.npz`` file; nothing is unpickled.

    Raises:
        DataError: If the file is damaged or holds no such arrays.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is damaged or not an .npz file.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            x, y = arrays["x"][:limit], arrays["y"][:limit]
    except (OSError, EOFError, LookupError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} holds no arrays x and y that could be read ({what_is_wrong(error)})."
        ) from error
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise DataError(
            f"{path}: x is {x.dtype} of shape {x.shape}; expected uint8 (N, H, W) or "
            "(N, H, W, C)."
        )
    return (x if x.ndim == 4 else x[..., None]), y
