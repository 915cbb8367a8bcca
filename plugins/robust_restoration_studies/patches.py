"""Attacks that are kept to a patch of an image, made in both ways, and where they do harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError

from .findings import Findings, mean, table
from .neighbourhood import WAYS, patch_attack
from .scenes import PAPER, Scenes

Box = tuple[int, int, int, int]


@dataclass
class PatchFindings(Findings):
    """PSNR inside and outside the patch, without an attack and with both ways of one.

    Attributes:
        images: Their names.
        patch: (top, left, height, width) of each image's patch.
        inside: Condition to PSNR in dB within the patch, an image.
        outside: The same for the rest of the image.
        settings: What it was computed with.
        pictures: Of the first image, restored: condition to (H, W, C).
    """

    images: list[str]
    patch: list[Box]
    inside: dict[str, list[float]]
    outside: dict[str, list[float]]
    settings: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict, repr=False)

    def to_markdown(self) -> str:
        """Means over images."""
        rows = [
            [name, f"{mean(self.inside[name]):.2f}", f"{mean(self.outside[name]):.2f}"]
            for name in self.inside
        ]
        return table(["restored PSNR in dB", "in the patch", "outside"], rows)

    def draw(self, figure: Any) -> None:
        """What is restored of the first image, with the patch's frame, and its differences."""
        from matplotlib.patches import Rectangle

        figure.set_size_inches(2.7 * len(self.pictures), 5.4)
        rows = figure.subplots(2, len(self.pictures), squeeze=False)
        plain = self.pictures["noisy"]
        top, left, height, width = self.patch[0]
        for place, (name, picture) in enumerate(self.pictures.items()):
            rows[0][place].imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1)
            rows[0][place].set_title(f"{name}, restored", fontsize=9)
            change = abs(picture - plain).mean(-1)
            rows[1][place].imshow(change, cmap="magma", vmin=0, vmax=0.08)
            rows[1][place].set_title("change by the attack" if place else "", fontsize=9)
            for axes in rows[:, place]:
                frame = Rectangle(
                    (left - 0.5, top - 0.5), width, height, fill=False, edgecolor="tab:red"
                )
                axes.add_patch(frame)
                axes.set_axis_off()


def patch_attacks(
    denoiser: nn.Module,
    data: Any,
    *,
    attack: str = PAPER,
    patch: Box | None = None,
    sigma: float = 25 / 255,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> PatchFindings:
    """Attack a patch of each image, in both ways (typical-set paper, 3.3.3 and figure 8).

    Args:
        denoiser: The denoiser.
        data: As `load_images` takes it.
        attack: As `Scenes` takes it.
        patch: Top, left, height and width in pixels; the middle of each image by default.
        sigma: As `Scenes` takes it.
        limit: As `Scenes` takes it.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it.

    Raises:
        InputError: If the patch leaves an image, or an option makes no sense.
    """
    scenes = Scenes(denoiser, data, attack=attack, sigma=sigma, limit=limit, root=root, seed=seed)
    names = ("noisy", *WAYS)
    found = PatchFindings(
        list(scenes.images.names), [], {n: [] for n in names}, {n: [] for n in names}, {}
    )
    for number in scenes.numbers():
        noisy, clean = scenes.pair(number)
        height, width = clean.shape[-2:]
        box = patch or (height // 4, width // 4, height // 2, width // 2)
        if box[2:] == (height, width):
            raise InputError(f"patch is {box}, all of the image; expected a part of it.")
        images = {"noisy": noisy}
        for way in WAYS:
            images[way] = patch_attack(scenes.attack, noisy, clean, box, way=way, index=number)
        inside = torch.zeros(height, width, dtype=torch.bool)
        inside[box[0] : box[0] + box[2], box[1] : box[1] + box[3]] = True
        for name, image in images.items():
            after = scenes.restored(image).cpu()
            error = (after.clamp(0, 1) - clean.cpu()).square()[0].mean(0)
            found.inside[name].append(_psnr(error[inside]))
            found.outside[name].append(_psnr(error[~inside]))
            if not number:
                found.pictures[name] = after[0].clamp(0, 1).permute(1, 2, 0).numpy()
        found.patch.append(box)
    found.settings = scenes.settings(patch=patch)
    return found


def _psnr(errors: Tensor) -> float:
    return float(-10 * errors.double().mean().clamp(min=1e-10).log10())
