"""Files in, files out: restore, attack or purify image files; originals stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from .contracts import frozen
from .degradations.gaussian import Gaussian
from .errors import DataError, InputError
from .evaluation.strips import write_strip
from .files import atomic_path
from .images.files import read_image, write_image
from .images.folders import STRIP, find_images
from .images.tiling import Tiled
from .models.create import create_attack, create_purifier
from .models.restore import restore, takes_sigma
from .models.weights import shipped, weights_for

Change = Callable[[Tensor, Path], Tensor]


def map_files(
    paths: Iterable[Path | str],
    out: Path | str,
    change: Callable[[list[Path]], Change],
    *,
    doing: str,
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Read image files, change each, and write the results.

    Args:
        paths: Files, and folders that are searched to the bottom.
        out: Where results go, under the same relative names.
        change: Given all files, makes the function from an image (C, H, W) in [0, 1], and the path
            its result goes to, to the result.
        doing: What the progress bar says.
        overwrite: Replace files in ``out``; otherwise those there are left, so that an
            interrupted call goes on.
        progress: Show a progress bar.

    Returns:
        ``written`` and ``kept``: paths; ``damaged``: a sentence a file that could not be read.

    Raises:
        InputError: If a result would replace an original.
        DataError: If there is no image at all.
    """
    out = Path(out)
    found = find_images(paths)
    originals = {source.resolve() for source, _ in found}
    targets = [(source, out / relative) for source, relative in found]
    for _, target in targets:
        if target.resolve() in originals:
            raise InputError(
                f"{target} would replace an original; choose a folder other than the images' own."
            )
    changed = change([source for source, _ in found])
    done: dict[str, list[str]] = {"written": [], "kept": [], "damaged": []}
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for source, target in bar.track(targets, description=doing):
            if target.exists() and not overwrite:
                done["kept"].append(str(target))
                continue
            try:
                image = read_image(source)
            except DataError as error:
                done["damaged"].append(str(error))
                continue
            write_image(changed(image, target), target)
            done["written"].append(str(target))
    return done


def denoise_files(
    paths: Iterable[Path | str],
    out: Path | str,
    denoiser: nn.Module,
    *,
    sigma: float | None = None,
    tile: int = 1024,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Restore image files, each at its own size.

    Args:
        paths: Noisy images: files, and folders that are searched to the bottom.
        out: Where the restored images go, under the same relative names.
        denoiser: Gray images go through one for colour as colour, and the other way round each
            channel goes through one for gray.
        sigma: The noise level, as a fraction of [0, 1], for a denoiser that is told it.
        tile: Images with a longer side are restored in tiles of this side.
        device: Where to compute.
        overwrite: Replace files in ``out``.
        progress: Show a progress bar.

    Returns:
        As `image_files.map_files`.

    Raises:
        InputError: If a result would replace an original, or the denoiser must be told a level.
    """
    model = Tiled(denoiser.to(device), tile=tile)

    def change(files: list[Path]) -> Change:
        return lambda image, _: _restore(model, image.to(device), sigma)

    return map_files(paths, out, change, doing="denoising", overwrite=overwrite, progress=progress)


def attack_files(
    paths: Iterable[Path | str],
    out: Path | str,
    denoiser: nn.Module,
    *,
    attack: str = "obsatk_auto",
    attack_options: dict[str, Any] | None = None,
    sigma: float = 25 / 255,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Make clean image files noisy, attack them, and keep what comes out.

    Beside each written image, which is the attacked one rounded to 8 bits, stand ``NAME.npz`` with
    the float arrays ``clean``, ``noisy`` and ``attacked`` (C, H, W), since rounding takes part of a
    small perturbation away, and ``NAME.strip.png``, which shows what was done.

    Args:
        paths: Clean images: files, and folders.
        out: Where results go.
        denoiser: What is attacked.
        attack: The attack's name.
        attack_options: Its options.
        sigma: The level of the Gaussian noise that is added first; 0 for none.
        seed: Of the noise.
        device: Where to compute.
        overwrite: Replace files in ``out``.
        progress: Show a progress bar.

    Returns:
        As `image_files.map_files`.

    Raises:
        InputError: If the images do not fit the denoiser, or an option makes no sense.
    """
    model = denoiser.to(device)
    told = sigma if takes_sigma(model) and not getattr(model, "blind", False) else None
    attacker = create_attack(
        attack, model, **({"sigma": told} if told is not None else {}), **(attack_options or {})
    )

    def change(files: list[Path]) -> Change:
        return attacked_image

    def attacked_image(image: Tensor, target: Path) -> Tensor:
        channels = getattr(model, "channels", None)
        if channels == 1 and image.shape[0] == 3:
            raise InputError(
                f"{target.name} has 3 channels and the denoiser wants 1: use one for colour."
            )
        if channels == 3 and image.shape[0] == 1:
            image = image.expand(3, -1, -1)
        clean = image[None].to(device)
        noisy = Gaussian(sigma)(clean, seed=seed)[0] if sigma else clean
        attacked = attacker(noisy, clean)
        with torch.no_grad(), frozen(model):
            before, after = restore(model, noisy, told), restore(model, attacked, told)
        with atomic_path(target.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
            arrays = {"clean": clean, "noisy": noisy, "attacked": attacked}
            np.savez_compressed(file, **{k: v[0].cpu().numpy() for k, v in arrays.items()})
        strip = target.with_name(target.stem + STRIP)
        write_strip(strip, clean[0], noisy[0], before[0], attacked[0], after[0])
        return attacked[0]

    return map_files(paths, out, change, doing="attacking", overwrite=overwrite, progress=progress)


def _restore(model: Tiled, image: Tensor, sigma: float | None) -> Tensor:
    channels = model.channels
    batch = image[None]
    if channels == 3 and len(image) == 1:
        batch = batch.expand(-1, 3, -1, -1)
    elif channels == 1 and len(image) == 3:
        batch = image[:, None]
    with torch.no_grad(), frozen(model):
        restored = restore(model, batch, sigma)
    if channels == 1:
        return restored[:, 0]
    return restored[0].mean(0, keepdim=True) if len(image) == 1 else restored[0]


def purify_files(
    paths: Iterable[Path | str],
    out: Path | str,
    *,
    purifier: str = "advfilter",
    weights: str | None = None,
    classifier: str | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Purify image files, each at its own size.

    Args:
        paths: Files, and folders that are searched to the bottom.
        out: Where the purified images go, under the same relative names.
        purifier: A purifier's name.
        weights: A tag, file or hub repository; those for ``classifier`` by default.
        classifier: The name of the classifier the images are for.
        device: Where to compute.
        overwrite: Replace files in ``out``; otherwise those there are left, so that an
            interrupted call goes on.
        progress: Show a progress bar.

    Returns:
        ``written`` and ``kept``: paths; ``damaged``: a sentence a file that could not be read.

    Raises:
        InputError: If a result would replace an original.
        DataError: If there is no image at all.
    """

    def change(files: list[Path]) -> Change:
        made = create_purifier(purifier, weights=weights)
        if weights is None and any(True for _ in made.parameters()):
            tag = _tag(purifier, classifier, files[0])
            made = create_purifier(purifier, weights=tag)
        made = made.to(device)
        return lambda image, _: _purify(made, image.to(device))

    return map_files(
        paths, out, change, doing="purifying", overwrite=overwrite, progress=progress
    )


def _tag(purifier: str, classifier: str | None, example: Path) -> str:
    tags = shipped("purifiers", purifier)
    if classifier in tags:
        return str(classifier)
    try:
        size = min(read_image(example).shape[-2:])
    except DataError:
        size = 224
    return weights_for("purifiers", purifier, classifier or "an unnamed classifier", size)


def _purify(purifier: Any, image: torch.Tensor) -> torch.Tensor:
    channels = getattr(purifier, "channels", None)
    gray = image.shape[0] == 1 and channels == 3
    batch = image.expand(3, -1, -1)[None] if gray else image[None]
    with torch.no_grad():
        pure = purifier(batch)[0]
    return pure.mean(dim=0, keepdim=True) if gray else pure
