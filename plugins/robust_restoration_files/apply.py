"""Files in, files out: restore, attack or purify image files; originals stay as they are.

One rule for colours: a colour image goes through a network for gray images channel by channel, and
a gray one through a network for colour images as colour.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from robust_restoration import verbs
from robust_restoration.contracts import Denoiser, Purifier, frozen
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.errors import DataError, InputError
from robust_restoration.files import atomic_path, check_folder
from robust_restoration.images.files import read_image, write_image
from robust_restoration.images.folders import STRIP
from robust_restoration.images.pixels import compact
from robust_restoration.models.create import create_attack
from robust_restoration.models.device import device_of
from robust_restoration.models.purify import find_purifier
from robust_restoration.models.restore import restore, takes_sigma
from robust_restoration.numbers import check_attack_options
from robust_restoration.plugins.registry import registry

from .classifier_word import find_classifier
from .find_images import find_images

Change = Callable[[Tensor, int, Path], Tensor]


def apply(
    found: Sequence[tuple[Path, Path]],
    out: Path | str,
    change: Change,
    *,
    doing: str = "working",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Read image files, change each, and write the results.

    Args:
        found: The files, and the paths of their results within ``out``, as `find_images` gives.
        out: The folder of the results. Gray images of 16 bits stay so.
        change: Makes a result of an image (C, H, W) in [0, 1], its number, and the path that the
            result goes to.
        doing: What the progress bar says.
        overwrite: Replace files in ``out``; otherwise those there are left, so that an
            interrupted call goes on.
        progress: Show a progress bar.

    Returns:
        ``written`` and ``kept``: paths; ``damaged``: a sentence a file that could not be worked
        with.

    Raises:
        InputError: If a result would replace an original, or no image at all fits.
    """
    out = Path(out)
    originals = {os.path.realpath(source) for source, _ in found}
    targets = [(source, out / relative) for source, relative in found]
    for _, target in targets:
        if os.path.realpath(target) in originals:
            raise InputError(
                f"{target} would replace an original; choose a folder other than the images' own."
            )
    check_folder(out)
    done: dict[str, list[str]] = {"written": [], "kept": [], "damaged": []}
    unfit: InputError | None = None
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        for number, (source, target) in enumerate(bar.track(targets, description=doing)):
            try:
                if target.exists() and not overwrite:
                    done["kept"].append(str(target))
                    continue
                image = read_image(source)
                bits = 8 if compact(image).dtype == torch.uint8 else 16
                write_image(change(image, number, target), target, bits=bits)
            except DataError as error:
                done["damaged"].append(str(error))
            except InputError as error:
                unfit = unfit or error
                done["damaged"].append(f"{source}: {error}")
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                done["damaged"].append(f"{source} has too long a name for what is written of it.")
            else:
                done["written"].append(str(target))
    if unfit and not done["written"] and not done["kept"]:
        raise unfit
    return done


def denoise_files(
    paths: Iterable[Path | str],
    out: Path | str,
    denoiser: nn.Module,
    *,
    sigma: float | None = None,
    tile: int = 1024,
    device: torch.device | str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Restore image files, each at its own size.

    Args:
        paths: Noisy images: files, and folders that are searched to the bottom.
        out: Where the restored images go, under the same relative names.
        denoiser: For gray or for colour images, see the module.
        sigma: The noise level, as a fraction of [0, 1], for a denoiser that takes it.
        tile: Images with a longer side are restored in tiles of this side.
        device: Where to compute.
        overwrite: Replace files in ``out``.
        progress: Show a progress bar.

    Returns:
        As `apply`.

    Raises:
        InputError: If a result would replace an original, or the denoiser needs a level.
    """
    device = device_of(device)
    model = verbs.Tiled(denoiser.to(device), tile=tile)

    def change(image: Tensor, number: int, target: Path) -> Tensor:
        with torch.no_grad(), frozen(model):
            return _as(image, restore(model, _batch(image.to(device), model), sigma))

    found = find_images(paths)
    return apply(found, out, change, doing="denoising", overwrite=overwrite, progress=progress)


def attack_files(
    paths: Iterable[Path | str],
    out: Path | str,
    denoiser: nn.Module,
    *,
    attack: str | None = None,
    attack_options: dict[str, Any] | None = None,
    sigma: float = 25 / 255,
    seed: int = 0,
    device: torch.device | str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Make clean image files noisy, attack them, and keep what comes out.

    Beside each written image, which is the attacked one rounded to 8 bits, stand ``NAME.npz`` with
    the float arrays ``clean``, ``noisy`` and ``attacked`` (C, H, W), since rounding takes part of a
    small perturbation away, and ``NAME.strip.png``, which shows what was done; NAME is the image's
    whole file name, such as ``a.png``.

    Args:
        paths: Clean images: files, and folders.
        out: Where results go.
        denoiser: What is attacked; for gray or for colour images, see the module.
        attack: The attack's name; the default one for denoisers where it is ``None``.
        attack_options: Its options.
        sigma: The level of the Gaussian noise that is added first; 0 for none.
        seed: Of the noise, which depends on it and on the image's number among the files.
        device: Where to compute.
        overwrite: Replace files in ``out``.
        progress: Show a progress bar.

    Returns:
        As `apply`.

    Raises:
        InputError: If the images do not fit the denoiser, or an option makes no sense.
    """
    device = device_of(device)
    level = sigma if takes_sigma(denoiser) and not getattr(denoiser, "blind", False) else None
    model = verbs.Tiled(denoiser.to(device), tile=1024)
    check_attack_options(attack_options or {})
    attacker = create_attack(
        attack or registry().default("attacks", "denoiser"),
        model,
        **({"sigma": level} if level is not None else {}) | dict(attack_options or {}),
    )

    def change(image: Tensor, number: int, target: Path) -> Tensor:
        image = image.to(device)
        noisy_image = Gaussian(sigma)(image[None], seed=seed, index=number)[0][0]
        clean, noisy = _batch(image, model), _batch(noisy_image, model)
        attacked = attacker(noisy, clean, index=number * len(noisy))
        with torch.no_grad(), frozen(model):
            before, after = restore(model, noisy, level), restore(model, attacked, level)
        panels = [_whole(batch) for batch in (clean, noisy, before, attacked, after)]
        arrays = [panels[k].detach().cpu().numpy() for k in (0, 1, 3)]
        with atomic_path(beside(target, ".npz")) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, clean=arrays[0], noisy=arrays[1], attacked=arrays[2])
        verbs.write_strip(beside(target, STRIP), *panels)
        return panels[3]

    found = find_images(paths)
    return apply(found, out, change, doing="attacking", overwrite=overwrite, progress=progress)


def purify_files(
    paths: Iterable[Path | str],
    out: Path | str,
    *,
    purifier: str | nn.Module | None = None,
    weights: str | None = None,
    classifier: str | None = None,
    explained: nn.Module | None = None,
    device: torch.device | str = "cpu",
    overwrite: bool = False,
    progress: bool = True,
) -> dict[str, list[str]]:
    """Purify image files, each at its own size.

    Args:
        paths: Files, and folders that are searched to the bottom.
        out: Where the purified images go, under the same relative names.
        purifier: A purifier's name, or a module; the default one for classifiers where it is
            ``None``.
        weights: A tag, file or hub repository; those for ``classifier`` by default.
        classifier: The name of the classifier the images are for; see `find_classifier`.
        explained: The classifier itself, where a picture ``NAME.strip.png`` of what was done, as
            `explain` draws it, shall stand beside each image.
        device: Where to compute.
        overwrite: Replace files in ``out``.
        progress: Show a progress bar.

    Returns:
        As `apply`.

    Raises:
        InputError: If a result would replace an original, or there is no such classifier.
        DataError: If there is no image at all.
    """
    device, found = device_of(device), find_images(paths)
    given: str | nn.Module | None = explained.to(device) if explained is not None else None
    if given is None and classifier:
        name = purifier if isinstance(purifier, str) else None
        given = find_classifier(classifier, name)
    model = find_purifier(given, purifier, weights=weights).to(device)

    def change(image: Tensor, number: int, target: Path) -> Tensor:
        batch = _batch(image.to(device), model)
        if explained is not None:
            verbs.explain(explained, batch, purifier=model).save(beside(target, STRIP))
        with torch.no_grad():
            return _as(image, model(batch))

    return apply(found, out, change, doing="purifying", overwrite=overwrite, progress=progress)


def beside(target: Path, ending: str) -> Path:
    """The path of what stands beside a result: its whole name, then an ending."""
    return target.with_name(target.name + ending)


def _batch(image: Tensor, model: nn.Module) -> Tensor:
    """The batch that a network for gray or for colour images takes for an image (C, H, W)."""
    # A plain module's `channels`, if it has one, may be anything, such as a U-Net's widths.
    ours = isinstance(model, Denoiser | Purifier)
    channels = getattr(model, "channels", None) if ours else None
    if channels == 3 and len(image) == 1:
        return image.expand(3, -1, -1)[None]
    return image[:, None] if channels == 1 else image[None]


def _whole(batch: Tensor) -> Tensor:
    """The image (C, H, W) that a `_batch` holds."""
    return batch[0] if len(batch) == 1 else batch[:, 0]


def _as(image: Tensor, batch: Tensor) -> Tensor:
    """The image (C, H, W) that a `_batch` holds, gray again where the image was."""
    whole = _whole(batch)
    return whole.mean(0, keepdim=True) if len(image) == 1 and len(whole) == 3 else whole
