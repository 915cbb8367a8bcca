"""How alike denoisers are in where they fail about an image: how far their radars overlap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from robust_restoration.contracts import Denoiser
from robust_restoration.data import load_images
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.errors import InputError
from robust_restoration.files import write_figure, write_json
from robust_restoration.models.create import create_attack
from robust_restoration.models.restore import conditioning
from robust_restoration.numbers import check_count
from robust_restoration.plugins.registry import registry

from .radars import circle_samples, polygon_iou, radar
from .watching import watched


@dataclass
class SimilitudeResult:
    """Radar polygons of several denoisers on each image, and how much they overlap.

    Attributes:
        names: The denoisers.
        radii: Name to one list of radii an image.
        settings: What it was computed with.
        images: The images' names.
    """

    names: list[str]
    radii: dict[str, list[list[float]]]
    settings: dict[str, Any] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)

    def dmrs(self, first: str, second: str) -> float:
        """Denoising-model robustness similitude: the mean over images of the overlap."""
        pairs = zip(self.radii[first], self.radii[second], strict=True)
        overlaps = [polygon_iou(torch.tensor(a), torch.tensor(b)) for a, b in pairs]
        return sum(overlaps) / len(overlaps)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "settings": self.settings,
            "names": self.names,
            "images": self.images,
            "radii": self.radii,
            "dmrs": {a: {b: self.dmrs(a, b) for b in self.names} for a in self.names},
        }

    def to_json(self, path: Path | str) -> None:
        """Write all of it as JSON, atomically."""
        write_json(path, self.to_dict())

    def to_markdown(self) -> str:
        """The overlaps of all pairs."""
        lines = [f"| DMRS | {' | '.join(self.names)} |", "|---|" + "---:|" * len(self.names)]
        for name in self.names:
            cells = " | ".join(f"{self.dmrs(name, other):.2f}" for other in self.names)
            lines.append(f"| {name} | {cells} |")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_markdown()

    def plot(self, path: Path | str | None = None, image: int | None = None) -> Any:
        """Draw the radar polygons.

        Args:
            path: A PNG, PDF or SVG file to write, atomically.
            image: Which image's; by default a sheet of all, as the paper's figures 4 and 5.

        Returns:
            The matplotlib axes, or an array of several; ``axes.figure`` is the whole.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        count = len(self.radii[self.names[0]])
        shown = range(count) if image is None else [image]
        columns = min(4, len(shown))
        rows = -(-len(shown) // columns)
        side = 5.6 if len(shown) == 1 else 2.9
        figure = Figure(figsize=(side * columns, 1.6 + 0.95 * side * rows), layout="constrained")
        FigureCanvasAgg(figure)
        figure.set_layout_engine("constrained", h_pad=0.15)  # room for the angles
        for place, image_number in enumerate(shown):
            axes = figure.add_subplot(rows, columns, place + 1, projection="polar")
            for number, name in enumerate(self.names):
                radii = self.radii[name][image_number]
                angles = [2 * math.pi * k / len(radii) for k in range(len(radii) + 1)]
                closed = [*radii, radii[0]]
                axes.plot(angles, closed, color=f"C{number}", label=name, linewidth=1.2)
                axes.fill(angles, closed, color=f"C{number}", alpha=0.12)
            axes.set_ylim(0, 1)
            axes.set_yticks([0.5, 1.0], ["half", ""], fontsize=6)
            axes.tick_params(labelsize=7)
            if self.images:
                axes.set_title(self.images[image_number], fontsize=8)
        figure.suptitle(
            "drop of PSNR by direction: 90° makes the noise longer, 0° is across it, on the side "
            "of the attack;\nthe rim is each denoiser's largest drop on that image", fontsize=8,
        )
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center",
                      ncols=len(self.names), fontsize=8)
        return write_figure(figure, path)


def similitude(
    denoisers: Mapping[str, nn.Module],
    data: Any,
    *,
    source: str | None = None,
    attack: str = "denoising_pgd",
    attack_options: Mapping[str, Any] | None = None,
    sigma: float = 25 / 255,
    count: int = 100,
    shape: str = "circle",
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> SimilitudeResult:
    """Compare denoisers by where about an image they fail (denoising-PGD paper, Table VI).

    Args:
        denoisers: Names with modules.
        data: As `load_images` takes it.
        source: Whose attack spans the plane in which noise is turned, for all of them; the first
            by default.
        attack: The attack's name.
        attack_options: Its options.
        sigma: Level of the Gaussian noise, as a fraction of [0, 1].
        count: Directions an image, at least 3.
        shape: ``"circle"`` or ``"ellipse"``, see `circle_samples`.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        seed: Of noise and random starts.

    Returns:
        The polygons and how much they overlap, which print, plot and export.

    Raises:
        InputError: If there is no denoiser, the source is not among them, or an option makes no
            sense.

    Example:
        >>> models = {tag: rr.create_denoiser("dncnn_b", weights=tag) for tag in ("nt", "hat")}
        >>> similitude(models, "photos/", count=24, limit=2).dmrs("nt", "hat")
    """
    if not isinstance(denoisers, Mapping):
        raise InputError(
            f"denoisers is a {type(denoisers).__name__}; expected names with modules, such as "
            "{'mine': denoiser}."
        )
    names = list(denoisers)
    if source is None and names:
        source = names[0]
    if source is None or source not in denoisers:
        raise InputError(f"source is {source!r} and denoisers are {names}; expected one of them.")
    check_count("count", count, at_least=3)  # directions, for a polygon
    model = denoisers[source]
    channels = model.channels if isinstance(model, Denoiser) else None
    images = load_images(data, root=root, channels=channels, limit=limit)
    options = {**registry().accepted("attacks", attack, {"seed": seed}), **(attack_options or {})}
    device = next(model.parameters(), torch.zeros(())).device
    maker = create_attack(attack, model, sigma=conditioning(model, sigma), **options)
    radii: dict[str, list[list[float]]] = {name: [] for name in names}
    for number in watched(range(len(images)), "images"):
        noisy, clean, _ = images.pair([number], Gaussian(sigma), seed=seed)
        noisy, clean = noisy.to(device), clean.to(device)
        attacked = maker(noisy, clean, index=number)
        samples = circle_samples(noisy[0], clean[0], attacked[0], count, shape=shape)
        for name in names:
            polygon = radar(denoisers[name], samples, noisy[0], clean[0], sigma)
            radii[name].append(polygon.tolist())
    settings = {
        "data": images.name,
        "images": len(images),
        "source": source,
        "attack": attack,
        "sigma": sigma,
        "count": count,
        "shape": shape,
        "seed": seed,
    }
    return SimilitudeResult(names, radii, settings, list(images.names))
