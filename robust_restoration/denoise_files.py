"""Restore image files, and attack them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .contracts import frozen
from .errors import InputError
from .evaluation.strips import write_strip
from .factory import create_attack
from .files import atomic_path
from .image_files import Change, map_files
from .images import STRIP
from .noise import Gaussian
from .restore import restore, takes_sigma
from .tiling import Tiled


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
        noisy = Gaussian(sigma)(clean, seed=seed) if sigma else clean
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
