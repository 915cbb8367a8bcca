"""The adversarial space about an image: a line, a disc, and two spheres of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count

from .findings import Findings, table
from .radars import circle_samples
from .scenes import PAPER, Scene, Scenes
from .typical_set_theory import mixed_noise, sphere_section

REGION = (60.0, 120.0)  # degrees: within what the papers call the adversarial region, 30 to 150


def disc_samples(
    noisy: Tensor, clean: Tensor, attacked: Tensor, radii: Tensor, angles: Tensor
) -> Tensor:
    """Noisy images of a disc about one, in the plane of noise and attack.

    The typical-set paper's eq. 10: y + r |v| (sin t n + cos t p), as `circle_samples` has it; 90
    degrees is along the noise.

    Args:
        noisy: y, the disc's origin, (C, H, W).
        clean: (C, H, W).
        attacked: y + v, (C, H, W).
        radii: (R,), in lengths of the attack's perturbation v.
        angles: (A,), in radians.

    Returns:
        (R, A, C, H, W). Nothing is clipped.

    Raises:
        InputError: As `circle_samples`.
    """
    quarter = circle_samples(noisy, clean, attacked, 4) - noisy
    across, along = quarter[0], quarter[1]
    shape = (-1, *[1] * noisy.ndim)
    turned = angles.sin().view(shape) * along + angles.cos().view(shape) * across
    return noisy + radii.view(-1, 1, *[1] * noisy.ndim).to(turned) * turned


@dataclass
class SpaceFindings(Findings):
    """How far PSNR falls about one image, in dB: positive is worse than the noisy image.

    Attributes:
        image: Its name.
        psnr: Of the noisy image, restored, in dB.
        attacked: Of the attacked image.
        line: (lambda, drop) between the circle's samples at 60 and 120 degrees, eq. 8.
        radii: Of the disc, in lengths of the attack.
        angles: Of the disc, in degrees; 90 is along the noise.
        disc: Drops, a row a radius.
        longitudes: Of the spheres, in degrees, from the image's own noise towards the other.
        latitudes: Of the spheres, in degrees, towards the attack.
        spheres: Drops about two noisy images of the same clean one, a row a latitude; eq. 11.
        mixes: (lambda, drop of the attack) on noise sqrt(lambda) n1 + sqrt(1 - lambda) n2, and
            between them the drop that the noise alone makes.
        settings: What it was computed with.
    """

    image: str
    psnr: float
    attacked: float
    line: list[tuple[float, float]]
    radii: list[float]
    angles: list[float]
    disc: list[list[float]]
    longitudes: list[float]
    latitudes: list[float]
    spheres: list[list[list[float]]]
    mixes: list[tuple[float, float, float]]
    settings: dict[str, Any] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """What each of them says in one number."""
        own, other = (max(max(row) for row in sphere) for sphere in self.spheres)
        rows = [
            ["the attack", f"{self.psnr - self.attacked:.2f}", ""],
            ["line, least and most", *self._ends([drop for _, drop in self.line])],
            ["disc at the attack's length", *self._ends(self._circle())],
            ["spheres, most about each noise", f"{own:.2f}", f"{other:.2f}"],
            ["attacks on mixed noise", *self._ends([drop for _, _, drop in self.mixes])],
            ["mixed noise alone", *self._ends([drop for _, drop, _ in self.mixes])],
        ]
        return table([f"drop of PSNR in dB, {self.image}", "", ""], rows)

    def _circle(self) -> list[float]:
        nearest = min(range(len(self.radii)), key=lambda i: abs(self.radii[i] - 1))
        return self.disc[nearest]

    @staticmethod
    def _ends(values: list[float]) -> tuple[str, str]:
        return f"{min(values):.2f}", f"{max(values):.2f}"

    def draw(self, figure: Any) -> None:
        """The line, the disc as a heat map, and the two spheres with the drop as their colour."""
        import numpy as np
        from matplotlib import colormaps
        from matplotlib.colors import Normalize

        figure.set_size_inches(13.5, 4.2)
        highest = max(max(map(max, self.disc)), *(max(map(max, s)) for s in self.spheres), 0.1)
        scale, colors = Normalize(0, highest), colormaps["inferno"]
        axes = figure.add_subplot(1, 4, 1)
        axes.plot(*zip(*self.line, strict=True), "o-", label="between two attacked images")
        shares, alone, attacked = zip(*self.mixes, strict=True)
        axes.plot(shares, attacked, "s-", label="attacks, mixed noise")
        axes.plot(shares, alone, "--", label="mixed noise alone")
        axes.set_xlabel("λ")
        axes.set_ylabel("drop of PSNR, dB")
        axes.legend(fontsize=7)
        polar: Any = figure.add_subplot(1, 4, 2, projection="polar")
        turn = np.radians([*self.angles, self.angles[0] + 360])
        values = np.array(self.disc)
        values = np.concatenate([values, values[:, :1]], axis=1).clip(0)
        values = np.concatenate([0 * values[:1], values])  # at its centre nothing is changed
        polar.contourf(turn, [0.0, *self.radii], values, 24, cmap=colors, norm=scale)
        polar.set_title("disc; 90° along the noise,\nradius in lengths of the attack", fontsize=9)
        polar.tick_params(labelsize=7)
        polar.set_yticks([1.0, 2.0], ["1", "2"], color="white")
        polar.grid(color="white", alpha=0.25)
        for number, sphere in enumerate(self.spheres):
            round_: Any = figure.add_subplot(1, 4, 3 + number, projection="3d")
            longitude, latitude = np.meshgrid(
                np.radians([*self.longitudes, self.longitudes[0] + 360]), np.radians(self.latitudes)
            )
            faces = np.array(sphere)
            faces = np.concatenate([faces, faces[:, :1]], axis=1).clip(0)
            round_.plot_surface(
                np.cos(latitude) * np.cos(longitude),
                np.cos(latitude) * np.sin(longitude),
                np.sin(latitude),
                facecolors=colors(scale(faces)),
                rstride=1,
                cstride=1,
                shade=False,
            )
            for axis, (way, word) in enumerate(
                zip(np.eye(3), ("n1" if not number else "n2", "n2" if not number else "n1", "v"),
                    strict=True)
            ):
                round_.plot(*(1.5 * np.stack([0 * way, way])).T, color=f"C{axis}", linewidth=1)
                round_.text(*(1.6 * way), word, fontsize=9)
            round_.set_axis_off()
            round_.set_box_aspect((1, 1, 1), zoom=1.45)
            round_.view_init(elev=25, azim=25)
            round_.set_title(f"sphere about noisy image {number + 1}", fontsize=9)
        from matplotlib.cm import ScalarMappable

        figure.colorbar(
            ScalarMappable(scale, colors), ax=figure.axes, shrink=0.7, label="drop of PSNR, dB"
        )


def explore_space(
    denoiser: nn.Module,
    data: Any,
    *,
    attack: str = PAPER,
    sigma: float = 25 / 255,
    number: int = 0,
    radii: int = 5,
    angles: int = 24,
    latitudes: int = 7,
    steps: int = 11,
    root: Path | str | None = None,
    seed: int = 0,
) -> SpaceFindings:
    """Look about one noisy image: where does the denoiser fail, and is it one region?

    The denoising-PGD paper's figure 6 (a line between two attacked images), and the typical-set
    paper's figures 4 (a disc) and 6 (spheres about two noisy images of one clean image, and attacks
    on noise mixed of the two).

    Args:
        denoiser: The denoiser.
        data: As `load_images` takes it.
        attack: As `Scenes` takes it.
        sigma: As `Scenes` takes it.
        number: Which of the images.
        radii: Of the disc, up to twice the attack's length.
        angles: Directions of disc and spheres, at least 8.
        latitudes: Of the spheres, at least 3.
        steps: Points on the lines, at least 2.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it; the second noise has the next one.

    Raises:
        InputError: If there is no such image, or an option makes no sense.
    """
    check_count("number", number, at_least=0)
    for name, value, least in (
        ("radii", radii, 1), ("angles", angles, 8), ("latitudes", latitudes, 3), ("steps", steps, 2)
    ):
        check_count(name, value, at_least=least)
    given = {"attack": attack, "sigma": sigma, "root": root, "limit": number + 1}
    first, second = (
        _one(Scenes(denoiser, data, seed=seed + more, **given), number) for more in (0, 1)  # type: ignore[arg-type]
    )
    scenes = Scenes(denoiser, data, seed=seed, **given)  # type: ignore[arg-type]
    clean = first.clean

    def drops(images: Tensor, of: Scene) -> list[float]:
        before = scenes.psnr(of.noisy, clean)
        return (before - scenes.psnr(images, clean)).tolist()

    turn = 2 * math.pi * torch.arange(angles) / angles
    lengths = 2 * torch.arange(1, radii + 1) / radii
    disc = disc_samples(first.noisy[0], clean[0], first.attacked[0], lengths, turn)
    ends = disc_samples(
        first.noisy[0], clean[0], first.attacked[0], torch.ones(1), torch.tensor(REGION).deg2rad()
    )[0]
    shares = torch.linspace(0, 1, steps).tolist()
    line = torch.stack([share * ends[0] + (1 - share) * ends[1] for share in shares])
    tilt = torch.linspace(-math.pi / 2, math.pi / 2, latitudes)
    spheres = []
    for here, other in ((first, second), (second, first)):
        grid = torch.stack(
            [turn.repeat(latitudes), tilt.repeat_interleave(angles)], dim=1
        )
        points = sphere_section(
            here.noisy[0], (here.attacked - here.noisy)[0], (here.noisy - clean)[0],
            (other.noisy - clean)[0], grid,
        )
        found = drops(points, here)
        spheres.append([found[k * angles : (k + 1) * angles] for k in range(latitudes)])
    mixes = []
    for share in shares:
        noisy = clean + mixed_noise(first.noisy - clean, second.noisy - clean, share)
        attacked = scenes.attack(noisy, clean, index=number)
        before, after = scenes.psnr(torch.cat([noisy, attacked]), clean).tolist()
        own = float(scenes.psnr(first.noisy, clean))
        mixes.append((share, own - before, before - after))
    return SpaceFindings(
        image=first.name,
        psnr=float(scenes.psnr(first.noisy, clean)),
        attacked=float(scenes.psnr(first.attacked, clean)),
        line=list(zip(shares, drops(line, first), strict=True)),
        radii=lengths.tolist(),
        angles=turn.rad2deg().tolist(),
        disc=[drops(row, first) for row in disc],
        longitudes=turn.rad2deg().tolist(),
        latitudes=tilt.rad2deg().tolist(),
        spheres=spheres,
        mixes=mixes,
        settings=scenes.settings(number=number),
    )


def _one(scenes: Scenes, number: int) -> Scene:
    if number >= len(scenes):
        raise InputError(f"number is {number} and there are {len(scenes)} images; begin at 0.")
    return scenes.scene(number)
