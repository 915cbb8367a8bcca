"""Makes a fixed set of attacked images, on one denoiser, to measure others on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from robust_restoration.environment import environment
from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path, check_folder, write_json

from .findings import Findings, mean, table
from .scenes import PAPER, Scenes

CARD = "set.json"


@dataclass
class AttackedSetFindings(Findings):
    """What was written.

    Attributes:
        folder: Where.
        names: The images.
        noisy: PSNR in dB that the denoiser restores the noisy images to.
        attacked: The same of the attacked ones.
        settings: How they were made.
        environment: Versions and machine.
    """

    folder: str
    names: list[str]
    noisy: list[float]
    attacked: list[float]
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """PSNR of each image, restored by the denoiser that was attacked."""
        rows = [
            [name, f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}"]
            for name, before, after in zip(self.names, self.noisy, self.attacked, strict=True)
        ]
        before, after = mean(self.noisy), mean(self.attacked)
        rows.append(["mean", f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}"])
        return table(["image", "noisy", "attacked", "change"], rows)

    def draw(self, figure: Any) -> None:
        """Dots of both, image by image; no bars, since the axis does not begin at 0."""
        figure.set_size_inches(1.8 + 0.45 * len(self.names), 3.4)
        axes = figure.subplots()
        places = np.arange(len(self.names))
        axes.vlines(places, self.attacked, self.noisy, color="0.7", zorder=1)
        axes.scatter(places, self.noisy, label="noisy")
        axes.scatter(places, self.attacked, label="attacked")
        axes.set_xticks(places, self.names, rotation=45, ha="right", fontsize=8)
        axes.grid(axis="y", alpha=0.3)
        axes.set_ylabel("PSNR in dB, restored")
        axes.legend(fontsize=8)


def write_attacked_set(
    denoiser: nn.Module,
    data: Any,
    out: Path | str,
    *,
    attack: str = PAPER,
    sigma: float = 25 / 255,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    name: str = "",
) -> AttackedSetFindings:
    """Attack a denoiser on each image, and keep what comes out, as floats.

    The folder is then a data set, ``"attacked-set:FOLDER"``, on which any denoiser may be
    evaluated: a transfer threat model, as that of the typical-set paper's Tables 2 to 4.

    Args:
        denoiser: What is attacked.
        data: As `load_images` takes it.
        out: The folder; each image becomes ``NAME.npz`` with the arrays ``clean``, ``noisy`` and
            ``attacked``, (C, H, W) float32, and ``set.json`` says how they were made.
        attack: As `Scenes` takes it.
        sigma: As `Scenes` takes it.
        limit: As `Scenes` takes it.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it.
        overwrite: Replace a set that is in the folder.
        name: What ``set.json`` calls the denoiser; its class by default.

    Raises:
        InputError: If the folder holds a set already, or an option makes no sense.
    """
    out = Path(out)
    if not overwrite and out.is_dir() and any(out.glob("*.npz")):
        raise InputError(f"{out} holds a set already; give another folder, or overwrite it.")
    check_folder(out)
    scenes = Scenes(denoiser, data, attack=attack, sigma=sigma, limit=limit, root=root, seed=seed)
    files = [f"{each.replace('/', '-')}.npz" for each in scenes.images.names]
    if len(set(files)) < len(files):
        raise InputError(f"{scenes.images.name} has two images of one name; rename one of them.")
    for old in set(out.glob("*.npz")) - {out / file for file in files}:
        old.unlink()
    found = AttackedSetFindings(
        str(out),
        list(scenes.images.names),
        [],
        [],
        scenes.settings(denoiser=name or type(denoiser).__name__),
        environment(),
    )
    for scene, file in zip(scenes, files, strict=True):
        arrays = {
            key: getattr(scene, key)[0].cpu().numpy() for key in ("clean", "noisy", "attacked")
        }
        with atomic_path(out / file) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        found.noisy.append(float(scenes.psnr(scene.noisy, scene.clean)))
        found.attacked.append(float(scenes.psnr(scene.attacked, scene.clean)))
    write_json(out / CARD, found.to_dict())
    return found
