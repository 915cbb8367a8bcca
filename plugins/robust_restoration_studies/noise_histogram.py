"""The values of attacked noise beside Gaussian noise: histograms, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm, wasserstein_distance
from torch import nn

from robust_restoration.errors import InputError

from .findings import Findings, mean, table
from .scenes import Scenes

# Section V-D of the denoising-PGD paper.
ATTACKS = (
    "denoising_pgd target=noisy eps=0.012",
    "l2_denoising_pgd target=noisy eps=0.012",
)
PLAIN = "noise alone"
BINS = 81


@dataclass
class HistogramFindings(Findings):
    """Attacked noise, y' - x, beside the Gaussian of its own mean square.

    Attributes:
        names: Attacks, and the noise alone.
        level: Name to its root mean square, an image.
        distance: Name to the Wasserstein distance between its values and those of Gaussian noise of
            that level, an image; with as many values, that of noise alone says how large it is by
            chance.
        edges: Of the histograms' bins, in levels.
        density: Name to the mean histogram, of values divided by their level.
        settings: What it was computed with.
    """

    names: list[str]
    level: dict[str, list[float]]
    distance: dict[str, list[float]]
    edges: list[float]
    density: dict[str, list[float]]
    settings: dict[str, Any] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """Means over images."""
        rows = [
            [name, f"{255 * mean(self.level[name]):.2f}", f"{mean(self.distance[name]):.5f}"]
            for name in self.names
        ]
        return table(["", "level × 255", "Wasserstein distance to Gaussian noise"], rows)

    def draw(self, figure: Any) -> None:
        """A panel a name, with the Gaussian's density."""
        figure.set_size_inches(1 + 3.2 * len(self.names), 3.2)
        panels = figure.subplots(1, len(self.names), squeeze=False, sharey=True)[0]
        edges = np.array(self.edges)
        for axes, name in zip(panels, self.names, strict=True):
            axes.stairs(self.density[name], edges, fill=True, alpha=0.5, label="values")
            axes.plot(edges, norm.pdf(edges), color="black", linewidth=1, label="Gaussian")
            axes.set_title(
                f"{name}\nW = {mean(self.distance[name]):.5f}", fontsize=8, wrap=True
            )
            axes.set_xlabel("noise, in its own level")
        panels[0].set_ylabel("density")
        panels[0].legend(fontsize=7)


def noise_histogram(
    denoiser: nn.Module,
    data: Any,
    *,
    attacks: Sequence[str] = ATTACKS,
    sigma: float = 25 / 255,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> HistogramFindings:
    """Tell whether attacked noise is still Gaussian (denoising-PGD paper, figure 14).

    Args:
        denoiser: The denoiser.
        data: As `load_images` takes it.
        attacks: Each as `Scenes` takes it.
        sigma: As `Scenes` takes it.
        limit: As `Scenes` takes it.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it.

    Raises:
        InputError: If there is no attack, or an option makes no sense.
    """
    if not attacks or isinstance(attacks, str):
        raise InputError(f"attacks is {attacks!r}; expected a list of attacks, at least one.")
    edges = np.linspace(-4, 4, BINS)
    names = [PLAIN, *attacks]
    found = HistogramFindings(
        names, {n: [] for n in names}, {n: [] for n in names}, edges.tolist(), {}
    )
    total = {name: np.zeros(BINS - 1) for name in names}
    options: dict[str, Any] = {"sigma": sigma, "limit": limit, "root": root, "seed": seed}
    for word in attacks:
        scenes = Scenes(denoiser, data, attack=word, **options)
        for scene in scenes:
            seen = {word: scene.attacked - scene.clean}
            if word == attacks[0]:
                seen[PLAIN] = scene.noisy - scene.clean
            for name, noise in seen.items():
                values = noise.flatten().double().cpu().numpy()
                size = float(np.sqrt(np.mean(values**2)))
                draw = np.random.default_rng([seed, scene.number, 2])
                reference = size * draw.standard_normal(values.size)
                found.level[name].append(size)
                found.distance[name].append(float(wasserstein_distance(values, reference)))
                counts, _ = np.histogram(values / size, edges)
                total[name] += counts / values.size / np.diff(edges)
        found.settings = scenes.settings(attack=list(attacks))
    images = found.settings["images"]
    found.density = {name: (part / images).tolist() for name, part in total.items()}
    return found
