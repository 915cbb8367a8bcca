"""How far PSNR falls the further noise goes from the noisy image, by direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count, check_positive

from .findings import Findings, table
from .scenes import PAPER, Scenes
from .space import disc_samples

ANGLES = (0.0, 45.0, 90.0, 135.0, 180.0, 270.0)


@dataclass
class RadiusFindings(Findings):
    """Mean drops of PSNR.

    Attributes:
        names: The denoisers.
        radii: In lengths of the attack's perturbation.
        angles: In degrees; 90 is along the noise.
        drops: Denoiser to one row an angle of mean drops in dB.
        settings: What it was computed with.
    """

    names: list[str]
    radii: list[float]
    angles: list[float]
    drops: dict[str, list[list[float]]]
    settings: dict[str, Any] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """A row a denoiser and angle."""
        rows = [
            [f"{name}, {angle:g}°", *(f"{drop:+.2f}" for drop in self.drops[name][number])]
            for name in self.names
            for number, angle in enumerate(self.angles)
        ]
        return table(["drop of PSNR in dB", *(f"{r:g} |v|" for r in self.radii)], rows)

    def draw(self, figure: Any) -> None:
        """A panel a denoiser, a line an angle."""
        figure.set_size_inches(1 + 3.2 * len(self.names), 3.4)
        panels = figure.subplots(1, len(self.names), squeeze=False, sharey=True)[0]
        for axes, name in zip(panels, self.names, strict=True):
            for angle, drops in zip(self.angles, self.drops[name], strict=True):
                axes.plot(self.radii, drops, "o-", markersize=3, label=f"{angle:g}°")
            axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
            axes.set_title(name, fontsize=9)
            axes.set_xlabel("distance in lengths of the attack")
        panels[0].set_ylabel("drop of PSNR, dB")
        panels[0].legend(title="90°: along the noise", fontsize=7, title_fontsize=7)


def radius_sweep(
    denoisers: Mapping[str, nn.Module],
    data: Any,
    *,
    attack: str = PAPER,
    most: float = 3.0,
    radii: int = 6,
    angles: tuple[float, ...] = ANGLES,
    sigma: float = 25 / 255,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> RadiusFindings:
    """Go from each noisy image in some directions (typical-set paper, eq. 10 and figure 4).

    Args:
        denoisers: Names with modules; the first one's attack spans the plane.
        data: As `load_images` takes it.
        attack: As `Scenes` takes it.
        most: The largest radius, in lengths of the attack.
        radii: How many radii.
        angles: In degrees; 90 is along the noise.
        sigma: As `Scenes` takes it.
        limit: As `Scenes` takes it.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it.

    Raises:
        InputError: If there is no denoiser, or an option makes no sense.
    """
    if not denoisers or not angles:
        raise InputError("There is no denoiser, or no angle; expected one or more of each.")
    check_count("radii", radii)
    check_positive("most", most)
    first = next(iter(denoisers.values()))
    scenes = Scenes(first, data, attack=attack, sigma=sigma, limit=limit, root=root, seed=seed)
    lengths = most * torch.arange(1, radii + 1) / radii
    turn = torch.tensor([float(a) for a in angles]).deg2rad()
    total = {name: torch.zeros(radii * len(angles)).double() for name in denoisers}
    for scene in scenes:
        disc = disc_samples(scene.noisy[0], scene.clean[0], scene.attacked[0], lengths, turn)
        for name, denoiser in denoisers.items():
            before = scenes.psnr(scene.noisy, scene.clean, denoiser)
            total[name] += before - scenes.psnr(disc.flatten(0, 1), scene.clean, denoiser)
    drops = {
        name: (part / len(scenes)).view(radii, len(angles)).T.tolist()
        for name, part in total.items()
    }
    return RadiusFindings(
        list(denoisers), lengths.tolist(), [float(a) for a in angles], drops, scenes.settings()
    )
