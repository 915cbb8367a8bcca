"""Attacks on clean images beside attacks on noisy ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.degradations.gaussian import Gaussian

from .findings import Findings, mean, table
from .scenes import PAPER, Scenes, attack_on

# Section V-A of the denoising-PGD paper.
ON_CLEAN = "denoising_pgd eps=0.157 steps=10"
ROWS = ("noise alone", "attack on the noisy image", "attack on the clean image", "noise as long")


@dataclass
class CleanAttackFindings(Findings):
    """What a denoiser makes of both, and of noise that is as long.

    Attributes:
        images: Their names.
        level: Condition to the root mean square of what stands beside the clean image, an image.
        psnr: Condition to PSNR in dB, restored, an image.
        settings: What it was computed with.
        pictures: Of the first image: condition to (seen, restored), each (H, W, C).
    """

    images: list[str]
    level: dict[str, list[float]]
    psnr: dict[str, list[float]]
    settings: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict, repr=False)

    def to_markdown(self) -> str:
        """Means over images."""
        rows = [
            [name, f"{255 * mean(self.level[name]):.1f}", f"{mean(self.psnr[name]):.2f}"]
            for name in ROWS
        ]
        return table(["", "level × 255", "restored PSNR in dB"], rows)

    def draw(self, figure: Any) -> None:
        """The first image under each condition, and restored."""
        figure.set_size_inches(2.7 * len(ROWS), 5.7)
        places = figure.subplots(2, len(ROWS))
        for column, name in enumerate(ROWS):
            for row, picture in enumerate(self.pictures[name]):
                places[row][column].imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1)
                places[row][column].set_axis_off()
            places[0][column].set_title(name, fontsize=9)
            places[1][column].set_title(
                f"restored, {self.psnr[name][0]:.2f} dB", fontsize=9
            )


def clean_attack(
    denoiser: nn.Module,
    data: Any,
    *,
    attack: str = PAPER,
    on_clean: str = ON_CLEAN,
    sigma: float = 25 / 255,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> CleanAttackFindings:
    """Perturb the clean image itself, as noise would (denoising-PGD paper, figure 12).

    Beside it, Gaussian noise as long as that perturbation: what the paper's "little adversarial
    effect" is to be compared with.

    Args:
        denoiser: The denoiser.
        data: As `load_images` takes it.
        attack: On the noisy image, as `Scenes` takes it.
        on_clean: On the clean one, likewise.
        sigma: As `Scenes` takes it.
        limit: As `Scenes` takes it.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it.

    Raises:
        InputError: If an option makes no sense.
    """
    scenes = Scenes(denoiser, data, attack=attack, sigma=sigma, limit=limit, root=root, seed=seed)
    maker = attack_on(denoiser, on_clean, sigma, seed)
    found = CleanAttackFindings(
        list(scenes.images.names), {n: [] for n in ROWS}, {n: [] for n in ROWS},
        scenes.settings(on_clean=on_clean),
    )
    for scene in scenes:
        changed = maker(scene.clean, scene.clean, index=scene.number)
        size = float((changed - scene.clean).square().mean().sqrt())
        unit, _ = Gaussian(1.0)(0 * scene.clean.cpu(), seed=seed + 1, index=scene.number)
        unit = unit.to(scene.clean)
        long = scene.clean + size * unit / unit.square().mean().sqrt()
        seen = dict(zip(ROWS, (scene.noisy, scene.attacked, changed, long), strict=True))
        for name, image in seen.items():
            beside = (image - scene.clean).double().square().mean().sqrt()
            found.level[name].append(float(beside))
            found.psnr[name].append(float(scenes.psnr(image, scene.clean)))
            if not scene.number:
                both = (image, scenes.restored(image))
                found.pictures[name] = [
                    each[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy() for each in both
                ]
    return found
