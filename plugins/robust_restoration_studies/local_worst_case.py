"""The local worst case: how much a denoiser stretches the smallest changes, and where.

Both rest on products with the Jacobian J at an image; no J is ever written down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robust_restoration.contracts import Denoiser, frozen
from robust_restoration.data import load_images
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.errors import InputError
from robust_restoration.models.restore import Level, conditioning, quality, restore, restored
from robust_restoration.numbers import check_count

from .findings import Findings, mean, table
from .watching import watched

Product = Callable[[Tensor], Tensor]


def lipschitz(
    denoiser: nn.Module, images: Tensor, sigma: Level = None, *, steps: int = 30, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """The local Lipschitz constant at each image: J's largest singular value.

    By power iteration on J^T J from a random start, which comes from below: it is never more than
    the true value, but for rounding.

    Args:
        denoiser: Differentiable twice, as networks of convolutions are.
        images: (N, C, H, W).
        sigma: The level that the denoiser is conditioned on.
        steps: Of the iteration; each takes three backward passes.
        seed: Of the starts, which depend on it and on an image's place in the batch.

    Returns:
        (N,) and the directions (N, C, H, W) of length one along which it is reached: the worst
        infinitesimal perturbations.

    Raises:
        InputError: If no gradient flows through the denoiser, or an option makes no sense.
    """
    check_count("steps", steps)
    start = [
        np.random.default_rng([seed, number]).standard_normal(tuple(images.shape[1:]))
        for number in range(len(images))
    ]
    along = _unit(torch.from_numpy(np.stack(start)).to(images))
    with frozen(denoiser):
        forward, back = _jacobian(denoiser, images, sigma)
        for _ in range(steps):
            along = _unit(back(forward(along)))
        size = forward(along).flatten(1).norm(dim=1)
    return size, along


def sensitivity_map(
    denoiser: nn.Module, images: Tensor, sigma: Level = None, *, probes: int = 16, seed: int = 0
) -> Tensor:
    """How much the output changes with each value of the input: the norms of J's columns.

    Hutchinson's estimate: the mean of (J^T v)^2 over v ~ N(0, I), and its root. With k probes its
    relative error is about 1 / sqrt(2 k).

    Args:
        denoiser: Differentiable.
        images: (N, C, H, W).
        sigma: The level that the denoiser is conditioned on.
        probes: How many v.
        seed: Of these.

    Returns:
        (N, C, H, W), at least 0: 1 where a value is passed on and nothing else, less where a change
        is smoothed away.

    Raises:
        InputError: If no gradient flows through the denoiser, or an option makes no sense.
    """
    check_count("probes", probes)
    draw = torch.Generator().manual_seed(seed)
    total = torch.zeros_like(images)
    with frozen(denoiser):
        leaf, output = _traced(denoiser, images, sigma)
        for number in range(probes):
            probe = torch.randn(output.shape, generator=draw).to(output)
            (found,) = torch.autograd.grad(
                output, leaf, probe, retain_graph=number < probes - 1
            )
            total += found.square()
    return (total / probes).sqrt()


def _traced(denoiser: nn.Module, images: Tensor, sigma: Level) -> tuple[Tensor, Tensor]:
    leaf = images.detach().clone().requires_grad_()
    output = restore(denoiser, leaf, sigma)
    if not output.requires_grad:
        raise InputError(
            f"{type(denoiser).__name__} gives no gradient, so that nothing is known of how it "
            "stretches small changes; give a differentiable denoiser."
        )
    return leaf, output


def _jacobian(denoiser: nn.Module, images: Tensor, sigma: Level) -> tuple[Product, Product]:
    """V to J v, and u to J^T u.

    J^T u is linear in u, and its derivative along v is J v: two backward passes in place of
    forward-mode derivatives, which not every module has.
    """
    leaf, output = _traced(denoiser, images, sigma)
    dummy = torch.zeros_like(output, requires_grad=True)
    (transposed,) = torch.autograd.grad(output, leaf, dummy, create_graph=True)

    def forward(along: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(transposed, dummy, along, retain_graph=True)
        return found

    def back(along: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(output, leaf, along, retain_graph=True)
        return found

    return forward, back


def _unit(images: Tensor) -> Tensor:
    length = images.flatten(1).norm(dim=1).clamp(min=1e-30)
    return images / length.view(-1, *[1] * (images.ndim - 1))


@dataclass
class LocalFindings(Findings):
    """Stability beside quality, of several denoisers.

    Attributes:
        names: The denoisers.
        images: The images.
        psnr: Denoiser to PSNR in dB on plain noise, an image.
        lipschitz: Denoiser to the local Lipschitz constant at the noisy image, an image.
        settings: What it was computed with.
        pictures: Denoiser to the sensitivity map of the first image, (H, W).
    """

    names: list[str]
    images: list[str]
    psnr: dict[str, list[float]]
    lipschitz: dict[str, list[float]]
    settings: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict, repr=False)

    def to_markdown(self) -> str:
        """Means over images."""
        rows = [
            [
                name,
                f"{mean(self.psnr[name]):.2f}",
                f"{mean(self.lipschitz[name]):.2f}",
                f"{max(self.lipschitz[name]):.2f}",
            ]
            for name in self.names
        ]
        return table(["denoiser", "PSNR on noise", "Lipschitz, mean", "largest"], rows)

    def draw(self, figure: Any) -> None:
        """Stability against quality, so that a poor network does not look stable for nothing."""
        count = len(self.names)
        figure.set_size_inches(4.4 + 2.6 * count, 3.6)
        axes = figure.subplots(1, 1 + count, width_ratios=[1.5, *[1] * count])
        for number, name in enumerate(self.names):
            axes[0].scatter(
                self.psnr[name], self.lipschitz[name], color=f"C{number}", s=18, label=name
            )
        axes[0].set_xlabel("quality: PSNR on noise, dB")
        axes[0].set_ylabel("local Lipschitz constant")
        axes[0].set_ylim(bottom=0)
        axes[0].legend(fontsize=7)
        highest = max(float(np.quantile(self.pictures[name], 0.99)) for name in self.names)
        for place, name in zip(axes[1:], self.names, strict=True):
            shown = place.imshow(self.pictures[name], cmap="magma", vmin=0, vmax=highest)
            place.set_title(f"sensitivity, {name}", fontsize=8)
            place.set_axis_off()
        figure.colorbar(shown, ax=axes[-1], shrink=0.8)


def local_worst_case(
    denoisers: Mapping[str, nn.Module],
    data: Any,
    *,
    sigma: float = 25 / 255,
    steps: int = 30,
    probes: int = 16,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> LocalFindings:
    """Compare denoisers by how they stretch the smallest changes, beside how well they denoise.

    Args:
        denoisers: Names with modules.
        data: As `load_images` takes it.
        sigma: Level of the Gaussian noise.
        steps: As in `lipschitz`.
        probes: As in `sensitivity_map`.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        seed: Of noise, starts and probes.

    Raises:
        InputError: If there is no denoiser, or no gradient flows through one.
    """
    if not denoisers:
        raise InputError("There is no denoiser; expected one or more.")
    first = next(iter(denoisers.values()))
    channels = first.channels if isinstance(first, Denoiser) else None
    images = load_images(data, root=root, channels=channels, limit=limit)
    found = LocalFindings(
        list(denoisers),
        list(images.names),
        {name: [] for name in denoisers},
        {name: [] for name in denoisers},
        {"data": images.name, "images": len(images), "sigma": sigma, "steps": steps, "seed": seed},
    )
    for number in watched(range(len(images)), "images"):
        noisy, clean, _ = images.pair([number], Gaussian(sigma), seed=seed)
        for name, denoiser in denoisers.items():
            device = next(denoiser.parameters(), torch.zeros(())).device
            here, level = noisy.to(device), conditioning(denoiser, sigma)
            after = restored(denoiser, here, level).cpu()
            found.psnr[name].append(float(quality(after, clean)))
            size, _ = lipschitz(denoiser, here, level, steps=steps, seed=seed)
            found.lipschitz[name].append(float(size))
            if not number:
                shown = sensitivity_map(denoiser, here, level, probes=probes, seed=seed)
                found.pictures[name] = shown[0].square().mean(0).sqrt().cpu().numpy()
    return found
