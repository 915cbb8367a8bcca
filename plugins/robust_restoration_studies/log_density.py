"""How likely noise is under the Gaussian that a denoiser was trained for: attacks, and defenses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robust_restoration.degradations.names import create_noise
from robust_restoration.models.create import create_defense
from robust_restoration.numbers import check_count

from .findings import Findings, mean, table
from .scenes import PAPER, Scenes
from .typical_set_theory import entropy, typicality

SECOND_LEVEL = 26 / 25


@dataclass
class DensityFindings(Findings):
    """-(1/d) log p(n) - h of squares of noise: 0 is typical, above is too long.

    Attributes:
        values: Kind of noise to one number a square, in nats a dimension.
        entropy: h, in nats a dimension: what -(1/d) log p is on average.
        side: Of the squares; d is its square, a channel.
        settings: What it was computed with.
    """

    values: dict[str, list[float]]
    entropy: float
    side: int
    settings: dict[str, Any] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """Means, and how many squares are less likely than all but 1 % of Gaussian ones."""
        limit = float(np.quantile(self.values["Gaussian"], 0.99))
        rows = [
            [
                name,
                f"{mean(values):+.4f}",
                f"{-self.entropy - mean(values):.4f}",
                f"{100 * np.mean(np.array(values) > limit):.0f} %",
            ]
            for name, values in self.values.items()
        ]
        heads = ["noise", "atypicality, nats", "log p / d", "beyond 99 % of Gaussian"]
        return table(heads, rows)

    def draw(self, figure: Any) -> None:
        """Histograms of the log-density a dimension."""
        figure.set_size_inches(6.4, 3.6)
        axes = figure.subplots()
        every = np.concatenate([np.array(v) for v in self.values.values()])
        low, high = np.quantile(-self.entropy - every, [0.002, 0.998])
        edges = np.linspace(low, high, 60)
        for name, values in self.values.items():
            axes.hist(
                -self.entropy - np.array(values), edges, density=True, histtype="stepfilled",
                alpha=0.35, label=name,
            )
        axes.axvline(-self.entropy, color="black", linewidth=0.8, linestyle=":")
        axes.set_xlabel("log p(n) / d, nats")
        axes.set_ylabel("density of squares")
        axes.legend(fontsize=7)


def log_densities(
    denoiser: nn.Module,
    data: Any,
    *,
    attack: str = PAPER,
    side: int = 40,
    count: int = 2000,
    sigma: float = 25 / 255,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> DensityFindings:
    """Log-densities of Gaussian noise, of attacked noise, and of what typical-set training draws.

    The typical-set paper's figures 9 (attacked noise), 10 (TS sampling) and 13 (two levels), with
    squares of 40 x 40 as its trainings have. Per dimension, so that sizes can be compared.

    Args:
        denoiser: What is attacked.
        data: As `load_images` takes it.
        attack: As `Scenes` takes it.
        side: Of the squares.
        count: How many squares of each kind that needs no image.
        sigma: As `Scenes` takes it.
        limit: As `Scenes` takes it.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it.

    Raises:
        InputError: If an option makes no sense.
    """
    check_count("side", side)
    check_count("count", count)
    scenes = Scenes(denoiser, data, attack=attack, sigma=sigma, limit=limit, root=root, seed=seed)
    attacked = torch.cat([_squares(s.attacked - s.clean, side).cpu() for s in scenes])
    draw = torch.Generator().manual_seed(seed)
    blank = torch.zeros(count, 1, side, side)
    mixed = create_noise("mixed_levels", (sigma, min(1.0, SECOND_LEVEL * sigma)))
    sampled: Any = create_defense("typical_set", share=1.0, sigma=sigma)
    kinds = {
        "Gaussian": sigma * torch.randn(blank.shape, generator=draw),
        f"attacked: {attack}": attacked,
        "typical-set sampling": sampled.corrupt(blank, draw)["noisy"],
        f"levels {255 * sigma:g} and {255 * SECOND_LEVEL * sigma:g}": mixed(blank, seed=seed)[0],
    }
    return DensityFindings(
        {name: typicality(noise, sigma).tolist() for name, noise in kinds.items()},
        entropy(sigma),
        side,
        scenes.settings(side=side, count=count),
    )


def _squares(noise: Tensor, side: int) -> Tensor:
    """The squares of (1, C, H, W) that fit side by side, each channel by itself, (M, 1, S, S)."""
    parts = noise.unfold(2, side, side).unfold(3, side, side)
    return parts.reshape(-1, 1, side, side)
