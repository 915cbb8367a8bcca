"""How alike denoisers are about an image: radar polygons of their drops, and the overlap of these.

Section III-C of the denoising-PGD paper, whose printed basis and normalisation are wrong: noise is
turned in the plane of its own direction and the attack's, at the attack's length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.data import load_images
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path, write_json
from robust_restoration.models.create import create_attack
from robust_restoration.models.restore import conditioning, quality, restored
from robust_restoration.plugins.registry import registry


def circle_samples(noisy: Tensor, clean: Tensor, attacked: Tensor, count: int = 100) -> Tensor:
    """Noisy images on a circle about one, through the attacked one's distance.

    s_t = y + |v| (sin t n + cos t p), t = 2 pi k / count, with v the attack's perturbation, n the
    noise's direction and p that of v orthogonal to n. At 90 degrees the noise gets longer along
    itself. Nothing is clipped.

    Args:
        noisy: y, (C, H, W).
        clean: (C, H, W).
        attacked: (C, H, W).
        count: Number of samples.

    Returns:
        (count, C, H, W).

    Raises:
        InputError: If the image is not noisy, or the perturbation lies along the noise.
    """
    noise, change = (noisy - clean).flatten(), (attacked - noisy).flatten()
    if float(noise.norm()) == 0:
        raise InputError("The noisy image is the clean one: there is no noise to turn.")
    axis = noise / noise.norm()
    across = change - (change @ axis) * axis
    if float(across.norm()) <= 1e-4 * float(change.norm()) or float(change.norm()) == 0:
        raise InputError("The perturbation is 0 or lies along the noise: they span no plane.")
    across = across / across.norm()
    angles = 2 * math.pi * torch.arange(count, dtype=noise.dtype, device=noise.device) / count
    directions = angles.sin()[:, None] * axis + angles.cos()[:, None] * across
    return noisy + (change.norm() * directions).view(count, *noisy.shape)


def radar(
    denoiser: nn.Module, samples: Tensor, noisy: Tensor, clean: Tensor, sigma: float
) -> Tensor:
    """Radii of a radar polygon: how far PSNR falls at each sample, scaled to a maximum of 1.

    Args:
        denoiser: The denoiser.
        samples: (count, C, H, W), of `circle_samples`.
        noisy: (C, H, W).
        clean: (C, H, W).
        sigma: The level that a denoiser is told that is not blind.

    Returns:
        (count,) in [0, 1]: max(0, PSNR(f(y)) - PSNR(f(s))) over its maximum; all 0 if none falls.
    """

    def reached(images: Tensor) -> Tensor:
        found = restored(denoiser, images, conditioning(denoiser, sigma))
        return quality(found, clean.expand_as(images)).cpu().double()

    falls = reached(noisy[None]) - torch.cat([reached(part) for part in samples.split(16)])
    falls = falls.clamp(min=0)
    return falls / falls.max() if float(falls.max()) > 0 else falls


def polygon_iou(first: Tensor, second: Tensor) -> float:
    """Overlap of two radar polygons: the area they share over the area they cover, exactly.

    Args:
        first: (count,) radii at equal angles, count at least 3.
        second: The same.

    Returns:
        From 0 to 1; 1 where both are empty.

    Raises:
        InputError: If they differ in length, or are too short.
    """
    if first.shape != second.shape or first.ndim != 1 or len(first) < 3:
        raise InputError(
            f"The radii have shapes {tuple(first.shape)} and {tuple(second.shape)}; expected the "
            "same (count,), at least 3."
        )
    a, b = first.double(), second.double()
    a_next, b_next = a.roll(-1), b.roll(-1)
    wedge = math.sin(2 * math.pi / len(a)) / 2
    area_a, area_b = (wedge * (r * r.roll(-1)).sum() for r in (a, b))
    # Within a sector both edges are lines over the same two rays: they cross at most once, where
    # alpha / a + beta / a_next = alpha / b + beta / b_next = 1.
    low, low_next = torch.minimum(a, b), torch.minimum(a_next, b_next)
    crossing = (a - b) * (a_next - b_next) < 0
    safe = torch.where(crossing, (a * a_next * b * b_next).clamp(min=1e-300), 1.0)
    determinant = torch.where(crossing, (b * a_next - a * b_next), 1.0)
    alpha = a * b * (a_next - b_next) / determinant
    beta = a_next * b_next * (b - a) / determinant
    whole = low * low_next
    split = low * beta + alpha * low_next
    shared = wedge * torch.where(crossing & (safe > 1e-300), split, whole).sum()
    union = area_a + area_b - shared
    return float(shared / union) if float(union) > 0 else 1.0


@dataclass
class SimilitudeResult:
    """Radar polygons of several denoisers on each image, and how much they overlap.

    Attributes:
        names: The denoisers.
        radii: Name to one list of radii an image.
        settings: What it was computed with.
    """

    names: list[str]
    radii: dict[str, list[list[float]]]
    settings: dict[str, Any] = field(default_factory=dict)

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

    def plot(self, path: Path | str, image: int = 0) -> None:
        """Draw the radar polygons of one image, to a PNG, PDF or SVG file."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.6, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot(projection="polar")
        for number, name in enumerate(self.names):
            radii = self.radii[name][image]
            angles = [2 * math.pi * k / len(radii) for k in range(len(radii) + 1)]
            closed = [*radii, radii[0]]
            axes.plot(angles, closed, color=f"C{number}", label=name, linewidth=1.4)
            axes.fill(angles, closed, color=f"C{number}", alpha=0.12)
        axes.set_title("drop of PSNR by direction (90°: along the noise)", fontsize=10)
        axes.legend(loc="lower left", bbox_to_anchor=(0.9, 0.9), fontsize=8)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130)


def similitude(
    denoisers: Mapping[str, nn.Module],
    data: Any,
    *,
    source: str | None = None,
    attack: str = "denoising_pgd",
    attack_options: Mapping[str, Any] | None = None,
    sigma: float = 25 / 255,
    count: int = 100,
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
        count: Directions an image.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        seed: Of noise and random starts.

    Raises:
        InputError: If there is no denoiser, or the source is not among them.
    """
    names = list(denoisers)
    source = source or (names[0] if names else "")
    if source not in denoisers:
        raise InputError(f"source is {source!r} and denoisers are {names}; expected one of them.")
    model = denoisers[source]
    images = load_images(
        data, root=root, channels=getattr(model, "channels", None), limit=limit
    )
    options = {**registry().accepted("attacks", attack, {"seed": seed}), **(attack_options or {})}
    device = next(model.parameters(), torch.zeros(())).device
    maker = create_attack(attack, model, sigma=conditioning(model, sigma), **options)
    radii: dict[str, list[list[float]]] = {name: [] for name in names}
    for number in range(len(images)):
        noisy, clean, _ = images.pair([number], Gaussian(sigma), seed=seed)
        noisy, clean = noisy.to(device), clean.to(device)
        attacked = maker(noisy, clean)
        samples = circle_samples(noisy[0], clean[0], attacked[0], count)
        for name in names:
            found = radar(denoisers[name], samples, noisy[0], clean[0], sigma)
            radii[name].append(found.tolist())
    settings = {
        "data": images.name,
        "images": len(images),
        "source": source,
        "attack": attack,
        "sigma": sigma,
        "count": count,
        "seed": seed,
    }
    return SimilitudeResult(names, radii, settings)
