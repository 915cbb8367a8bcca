"""Images to restore, in memory: a set of them, and loading it from what users give."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robust_restoration.contracts import Degradation, Given
from robust_restoration.errors import DataError, InputError, check_type
from robust_restoration.images.checks import check_images
from robust_restoration.images.files import read_image
from robust_restoration.images.folders import images_in
from robust_restoration.images.pixels import as_float, compact, to_channels
from robust_restoration.numbers import check_count

from .labelled import LabelledImages
from .names import load_offered, understand


@dataclass
class RestorationImages:
    """Images to restore, in memory; their sizes may differ.

    Attributes:
        name: What tables call them.
        clean: One (C, H, W) tensor an image: uint8, or float32 in [0, 1] where 8 bits would
            lose something (16-bit files).
        names: One name an image: its file's path within the folder, without suffix.
        noisy: Their noisy counterparts, for sets of real noise; else ``None``.
        damaged: What could not be read, one sentence a file.
        recoloured: ``"made gray"`` or ``"made colour"`` where `load_images` did so.
    """

    name: str
    clean: list[Tensor]
    names: list[str]
    noisy: list[Tensor] | None = None
    damaged: list[str] = field(default_factory=list)
    recoloured: str = ""

    def __post_init__(self) -> None:
        counts = [len(part) for part in (self.clean, self.names, self.noisy) if part is not None]
        if len(set(counts)) > 1:
            raise InputError(
                f"{self.name}: clean, names and noisy have lengths {counts}; expected equal ones."
            )

    def __len__(self) -> int:
        return len(self.clean)

    def image(self, index: int) -> Tensor:
        """(C, H, W) float32 in [0, 1]."""
        return as_float(self.clean[index])

    def noisy_image(self, index: int) -> Tensor:
        """(C, H, W) float32 in [0, 1], the noisy counterpart.

        Raises:
            InputError: If the set has no real noise.
        """
        if self.noisy is None:
            raise InputError(
                f"{self.name} holds clean images only; add noise with a model of "
                "robust_restoration.create_noise."
            )
        return as_float(self.noisy[index])

    def pair(
        self, indices: Sequence[int], degradation: Degradation | None, *, seed: int
    ) -> tuple[Tensor, Tensor, Given]:
        """Observed and clean images, each of one size, (N, C, H, W).

        Args:
            indices: Which.
            degradation: What spoils the clean ones, such as a noise model; ``None`` for the set's
                real noise.
            seed: Of the degradation: what an image becomes depends on it and on the image's number
                alone.

        Returns:
            Observed images, clean images, and what the degradation gives of them, such as
            ``{"sigma": (N,)}``; real noise gives nothing.

        Raises:
            InputError: If there is no degradation and the set has no real noise.
        """
        clean = torch.stack([self.image(i) for i in indices])
        if degradation is None:
            return torch.stack([self.noisy_image(i) for i in indices]), clean, {}
        observed, given = degradation(clean, seed=seed, index=indices)
        return observed, clean, given

    def subset(self, indices: Tensor | Sequence[int] | slice) -> RestorationImages:
        """The images at ``indices``."""
        if isinstance(indices, slice):
            chosen = list(range(len(self)))[indices]
        else:
            chosen = [int(i) for i in indices]
        return RestorationImages(
            self.name,
            [self.clean[i] for i in chosen],
            [self.names[i] for i in chosen],
            None if self.noisy is None else [self.noisy[i] for i in chosen],
        )

    def fingerprint(self) -> str:
        """A short hash of all pixels, for naming what is derived from them."""
        digest = hashlib.sha256()
        for images in (self.clean, self.noisy or []):
            digest.update(f"{len(images)} ".encode())
            for image in images:
                digest.update(f"{image.dtype} {tuple(image.shape)} ".encode())
                digest.update(image.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def load_images(
    data: RestorationImages | LabelledImages | Path | str | Tensor | Sequence[Tensor],
    *,
    root: Path | str | None = None,
    channels: int | None = None,
    limit: int | None = None,
) -> RestorationImages:
    """Load images to restore.

    Args:
        data: A folder, which is searched to the bottom for images, or an image file; the name of
            a data set in any letter case (``robust-restoration datasets``
            lists them); a tensor (N, C, H, W) or (C, H, W), or a list of tensors (C, H, W), uint8
            or floating-point in [0, 1]; `RestorationImages`, or `LabelledImages`, whose labels
            are dropped. An existing path comes before a name. Files are read upright, as their
            EXIF orientation says; hidden ones and ``*.strip.png`` are left out.
        root: Where named data sets lie; else ``$ROBUST_RESTORATION_DATA``, else ``data`` in the
            package's cache folder.
        channels: 1 makes colour images gray (BT.601 weights), as tables of gray denoisers are
            made, whereas the command ``denoise`` takes each channel by itself; 3 makes gray
            images colour; ``None`` keeps the images' own, which must then agree.
        limit: Take only the first so many files or images.

    Returns:
        The images; files that could not be read are named in ``damaged``.

    Raises:
        DataError: If nothing usable is there; says what is missing.
        UnknownNameError: If there is no such name; names the nearest.
        InputError: If the images differ in their number of channels, or tensors are no images.
    """
    if limit is not None:
        check_count("limit", limit)
    if isinstance(data, str | Path):
        found = _from_word(data, root, limit)
    elif isinstance(data, LabelledImages):
        found = _from_labelled(data, limit)
    elif isinstance(data, RestorationImages):
        found = data if limit is None else replace(data.subset(slice(limit)), damaged=data.damaged)
    else:
        found = _from_tensors(data, limit)
    return _with_channels(found, channels)


def read_files(files: list[Path], folder: Path, name: str) -> RestorationImages:
    """Image files, of which damaged ones are named and skipped.

    Args:
        files: The files.
        folder: Where they lie; images are called by their paths within it.
        name: What tables call them.

    Raises:
        DataError: If none can be read.
    """
    found = RestorationImages(name, [], [])
    for file in files:
        try:
            found.clean.append(compact(read_image(file)))
        except DataError as error:
            found.damaged.append(str(error))
        else:
            inside = file.relative_to(folder) if file != folder else Path(file.name)
            found.names.append(inside.with_suffix("").as_posix())
    return some(found, folder)


def some(images: RestorationImages, folder: Path) -> RestorationImages:
    """The images, if there are any.

    Raises:
        DataError: If there are none; names the first that could not be read.
    """
    if not images.clean:
        raise DataError(
            f"None of the {len(images.damaged)} images in {folder} could be read. "
            f"{images.damaged[0] if images.damaged else ''}".rstrip()
        )
    return images


def _from_word(word: Path | str, root: Path | str | None, limit: int | None) -> RestorationImages:
    meaning = understand(word, root)
    if meaning.path is None:
        made = load_offered(meaning.name, root, meaning.split, limit)
        name = made.name if isinstance(made, LabelledImages) and made.name else meaning.name
        if isinstance(made, RestorationImages):
            return load_images(made, limit=limit)
        return replace(load_images(made, limit=limit), name=name)
    path = meaning.path / meaning.split if meaning.split else meaning.path
    if not path.exists():
        raise DataError(f"There is no folder {path}.")
    if path.is_dir():
        files, name = images_in(path), path.resolve().name
    else:
        files, name = [path], path.stem
    if not files:
        raise DataError(f"{path} holds no image.")
    return read_files(files[:limit], path, name)


def _from_labelled(data: LabelledImages, limit: int | None) -> RestorationImages:
    images = list(data.images[:limit])
    names = [str(i) for i in range(len(images))]
    return RestorationImages(data.name or "images", images, names, damaged=list(data.damaged))


def _from_tensors(data: Any, limit: int | None) -> RestorationImages:
    if isinstance(data, Tensor) and data.ndim == 3:
        data = data[None]
    expected = "a name, a folder, a tensor (N, C, H, W) or a list of tensors (C, H, W)"
    check_type("data", data, Tensor | list | tuple, expected)
    images = []
    for number, image in enumerate(data[:limit]):
        name = f"image {number}"
        if not isinstance(image, Tensor) or image.ndim != 3:
            shape = f" of shape {tuple(image.shape)}" if isinstance(image, Tensor) else ""
            raise InputError(
                f"{name} is a {type(image).__name__}{shape}; expected a tensor (C, H, W)."
            )
        image = image.detach().cpu()
        if image.dtype == torch.uint8:
            check_images(image[None].float() / 255, name)
        else:
            check_images(image[None], name, fix="8-bit values in [0, 255] become so with / 255")
            image = image.float()
        images.append(image.contiguous())
    if not images:
        raise InputError("data holds no image.")
    return RestorationImages("images", images, [str(i) for i in range(len(images))])


def _with_channels(images: RestorationImages, channels: int | None) -> RestorationImages:
    if channels is not None:
        noisy = images.noisy
        others = any(i.shape[0] != channels for i in images.clean)
        return replace(
            images,
            clean=[to_channels(i, channels) for i in images.clean],
            noisy=None if noisy is None else [to_channels(i, channels) for i in noisy],
            recoloured=("made gray" if channels == 1 else "made colour") if others else "",
        )
    counts = sorted({i.shape[0] for i in images.clean})
    if len(counts) > 1:
        raise InputError(
            f"{images.name} has images of {' and of '.join(map(str, counts))} channels; give "
            "channels=1 (gray) or channels=3 (colour) to bring them to one number."
        )
    return images
