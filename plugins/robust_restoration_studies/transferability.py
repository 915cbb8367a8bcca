"""How far an attack made on one denoiser hurts another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser
from robust_restoration.data import load_images
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.environment import environment
from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path, write_json
from robust_restoration.models.create import create_attack
from robust_restoration.models.restore import conditioning, quality, restored
from robust_restoration.plugins.registry import registry

Figures = dict[str, dict[str, list[float]]]


@dataclass
class TransferResult:
    """PSNR of each target on attacks made on each source.

    Attributes:
        names: The denoisers.
        unrestored: PSNR in dB of the noisy images themselves, one for each image.
        noisy: Target to PSNR in dB on plain noise, one for each image.
        attacked: Source and target to PSNR in dB, one for each image.
        settings: What it was computed with.
        environment: Versions and machine.
    """

    names: list[str]
    unrestored: list[float]
    noisy: dict[str, list[float]]
    attacked: Figures
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def mean(self, source: str, target: str) -> float:
        """Mean PSNR in dB of a target on a source's attacks."""
        values = self.attacked[source][target]
        return sum(values) / len(values)

    def dmr(self, source: str, target: str) -> float:
        """Mean change of PSNR against plain noise: below 0, the attack transfers."""
        return self.mean(source, target) - sum(self.noisy[target]) / len(self.noisy[target])

    def counted(self, source: str, target: str, threshold: float = 0.0) -> list[int]:
        """Numbers of the images on which eq. 3 asks whether an attack transfers.

        Those on which both denoisers restore the plain noise (they raise the PSNR of the noisy
        image), and on which the attack fools its own source by more than the threshold.
        """
        return [
            number
            for number, bare in enumerate(self.unrestored)
            if self.noisy[source][number] > bare
            and self.noisy[target][number] > bare
            and self._falls(source, source, number, threshold)
        ]

    def success(self, source: str, target: str, threshold: float = 0.0) -> float | None:
        """Share of the `counted` images on which the target's PSNR falls by more than a threshold.

        Args:
            source: Which denoiser the attack was made on.
            target: Which denoiser restores what was attacked.
            threshold: M of eq. 3, in dB.

        Returns:
            From 0 to 1; ``None`` where no image counts.
        """
        numbers = self.counted(source, target, threshold)
        falls = [self._falls(source, target, number, threshold) for number in numbers]
        return sum(falls) / len(falls) if falls else None

    def _falls(self, source: str, target: str, number: int, threshold: float) -> bool:
        return self.noisy[target][number] - self.attacked[source][target][number] > threshold

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "settings": self.settings,
            "environment": self.environment,
            "names": self.names,
            "unrestored": self.unrestored,
            "noisy": self.noisy,
            "attacked": self.attacked,
            "dmr": {s: {t: self.dmr(s, t) for t in self.names} for s in self.attacked},
            "success": {s: {t: self.success(s, t) for t in self.names} for s in self.attacked},
            "counted": {
                s: {t: len(self.counted(s, t)) for t in self.names} for s in self.attacked
            },
        }

    def to_json(self, path: Path | str) -> None:
        """Write all of it as JSON, atomically."""
        write_json(path, self.to_dict())

    def to_markdown(self) -> str:
        """Change of PSNR in dB, with one row for each source and one column for each target."""
        lines = [
            f"| made on ↓, restored by → | {' | '.join(self.names)} |",
            "|---|" + "---:|" * len(self.names),
            "| plain noise, PSNR | "
            + " | ".join(f"{sum(v) / len(v):.2f}" for v in map(self.noisy.get, self.names) if v)
            + " |",
        ]
        for source in self.attacked:
            cells = " | ".join(f"{self.dmr(source, target):+.2f}" for target in self.names)
            lines.append(f"| {source} | {cells} |")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_markdown()

    def plot(self, path: Path | str) -> None:
        """Draw the changes of PSNR as a heat map, to a PNG, PDF or SVG file."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        sources = list(self.attacked)
        table = [[self.dmr(s, t) for t in self.names] for s in sources]
        figure = Figure(
            figsize=(2.6 + 1.1 * len(self.names), 1.8 + 0.7 * len(sources)), layout="constrained"
        )
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        lowest = min(min(row) for row in table)
        axes.imshow(table, cmap="Reds_r", vmin=min(lowest, -0.1), vmax=0, aspect="auto")
        axes.set_xticks(range(len(self.names)), self.names, rotation=30, ha="right")
        axes.set_yticks(range(len(sources)), sources)
        axes.set_xlabel("restored by")
        axes.set_ylabel("attack made on")
        axes.set_title("change of PSNR in dB", fontsize=10)
        for i, row in enumerate(table):
            for j, value in enumerate(row):
                color = "white" if value < lowest / 2 else "black"
                axes.text(j, i, f"{value:+.2f}", ha="center", va="center", color=color)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130)


def transfer(
    denoisers: Mapping[str, nn.Module],
    data: Any,
    *,
    attack: str = "denoising_pgd",
    attack_options: Mapping[str, Any] | None = None,
    sources: list[str] | None = None,
    sigma: float = 25 / 255,
    channels: int | None = None,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> TransferResult:
    """Attack each source, and restore with each target (denoising-PGD paper, section IV-C).

    Args:
        denoisers: Names with modules.
        data: As `load_images` takes it.
        attack: The attack's name.
        attack_options: Its options.
        sources: Names of those that attacks are made on; all by default.
        sigma: Level of the Gaussian noise, as a fraction of [0, 1]; denoisers that are not blind
            get it.
        channels: Of the images; the first denoiser's by default.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        seed: Of noise and random starts.

    Returns:
        The figures of all pairs, which print, plot and export.

    Raises:
        InputError: If there is no denoiser, or a source is not among them.

    Example:
        >>> models = {tag: rr.create_denoiser("dncnn_b", weights=tag) for tag in ("nt", "hat")}
        >>> transfer(models, "photos/", limit=2).dmr("nt", "hat")
    """
    if not isinstance(denoisers, Mapping):
        raise InputError(
            f"denoisers is a {type(denoisers).__name__}; expected names with modules, such as "
            "{'mine': denoiser}."
        )
    names = list(denoisers)
    chosen = names if sources is None else sources
    if not chosen or not set(chosen) <= set(names):
        raise InputError(
            f"sources are {chosen} and denoisers {names}; expected one or more of the latter."
        )
    first = denoisers[names[0]]
    own = first.channels if isinstance(first, Denoiser) else None
    images = load_images(data, root=root, channels=channels or own, limit=limit)
    options = {**registry().accepted("attacks", attack, {"seed": seed}), **(attack_options or {})}
    noisy: dict[str, list[float]] = {name: [] for name in names}
    attacked: Figures = {s: {t: [] for t in names} for s in chosen}
    device = next(first.parameters(), torch.zeros(())).device
    makers = {
        name: create_attack(
            attack, denoisers[name], sigma=conditioning(denoisers[name], sigma), **options
        )
        for name in chosen
    }
    unrestored: list[float] = []
    for number in range(len(images)):
        start, clean, _ = images.pair([number], Gaussian(sigma), seed=seed)
        start, clean = start.to(device), clean.to(device)
        unrestored.append(float(quality(start, clean)))
        for name in names:
            noisy[name].append(_quality(denoisers[name], start, clean, sigma))
        for source, maker in makers.items():
            changed = maker(start, clean, index=number)
            for target in names:
                reached = _quality(denoisers[target], changed, clean, sigma)
                attacked[source][target].append(reached)
    return TransferResult(
        names,
        unrestored,
        noisy,
        attacked,
        settings={
            "data": images.name,
            "images": len(images),
            "attack": attack,
            "attack_options": {k: str(v) for k, v in options.items()},
            "sigma": sigma,
            "seed": seed,
        },
        environment=environment(),
    )


def _quality(denoiser: nn.Module, images: Tensor, clean: Tensor, sigma: float) -> float:
    return float(quality(restored(denoiser, images, conditioning(denoiser, sigma)), clean))
