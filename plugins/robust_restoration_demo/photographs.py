"""First part: a normally trained and a robust denoiser, attacked on three photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from robust_restoration.data import RestorationImages
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.evaluation import evaluate
from robust_restoration.files import atomic_path
from robust_restoration.images.metrics import psnr
from robust_restoration.models.create import create_attack, create_denoiser

SIGMA, EPS = 20 / 255, 5 / 255
MODELS = {"nt": "normal training", "hat": "HAT"}
SIDE = 160


def attack_photographs(out: Path, console: Console, *, seed: int) -> dict[str, Any]:
    """Restore photographs with two denoisers as they come and under attack, and show it.

    Args:
        out: Folder for ``photographs.png``.
        console: Where to print.
        seed: Of the noise and of controls.

    Returns:
        ``psnr``: mean PSNR by model and condition; ``results``: everything, by model.
    """
    images = load_photographs()
    console.print(
        f"[bold]1. Two denoisers[/bold], trained normally and with HAT, restore {len(images)} "
        f"photographs with noise of {255 * SIGMA:.0f}/255; the same, with an attack of "
        f"{255 * EPS:.0f}/255 on top (ObsAtk)."
    )
    results = {}
    for tag, label in MODELS.items():
        results[tag] = evaluate(
            create_denoiser("dncnn_b", weights=tag),
            images,
            threats=["obsatk", "obsatk_auto"],
            sigma=SIGMA,
            eps=EPS,
            seed=seed,
            checks=False,
            name=label,
            progress=False,
        )
        console.print(results[tag], highlight=False)
    draw_photographs(images.image(0), out / "photographs.png", seed=seed)
    found = {
        tag: {"noisy": r.mean(), **{t: r.mean(t) for t in r.threats}} for tag, r in results.items()
    }
    nt, hat = found["nt"], found["hat"]
    console.print(
        f"Under the stronger attack normal training keeps {nt['obsatk_auto']:.1f} dB of "
        f"{nt['noisy']:.1f}, HAT {hat['obsatk_auto']:.1f} of {hat['noisy']:.1f}. Random changes of "
        "the same size cost next to nothing: see the controls.\n",
        highlight=False,
    )
    return {"psnr": found, "results": {tag: r.to_dict() for tag, r in results.items()}}


def load_photographs() -> RestorationImages:
    """Gray squares of three of scikit-image's bundled photographs, 160x160."""
    from skimage import color, data

    squares = {
        "cameraman": data.camera()[60 : 60 + SIDE, 180 : 180 + SIDE] / 255,
        "astronaut": color.rgb2gray(data.astronaut())[30 : 30 + SIDE, 140 : 140 + SIDE],
        "coins": data.coins()[10 : 10 + SIDE, 20 : 20 + SIDE] / 255,
    }
    clean = [torch.from_numpy(pixels).float()[None].contiguous() for pixels in squares.values()]
    return RestorationImages("photographs", clean, list(squares))


def draw_photographs(clean: Tensor, path: Path, *, seed: int = 0) -> None:
    """Draw an image noisy, attacked, and restored, one row a denoiser.

    Args:
        clean: (1, H, W) in [0, 1].
        path: The picture's file.
        seed: Of the noise.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    noisy, _ = Gaussian(SIGMA)(clean[None], seed=seed)
    figure = Figure(figsize=(13.2, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(MODELS), 6)
    for number, (row, (tag, label)) in enumerate(zip(grid, MODELS.items(), strict=True)):
        for panel, (title, image, measured) in zip(
            row, _panels(create_denoiser("dncnn_b", weights=tag), noisy, clean[None]), strict=True
        ):
            panel.imshow(image[0, 0].clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
            panel.set_xticks([])
            panel.set_yticks([])
            if number == 0:
                panel.set_title(title, fontsize=11)
            if measured:
                panel.set_xlabel(f"{psnr(image, clean[None]).item():.1f} dB", fontsize=11)
        row[0].set_ylabel(label, fontsize=12)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _panels(
    denoiser: nn.Module, noisy: Tensor, clean: Tensor
) -> list[tuple[str, Tensor, bool]]:
    attacked = create_attack("obsatk_auto", denoiser, eps=EPS)(noisy, clean)
    with torch.no_grad():
        before, after = denoiser(noisy), denoiser(attacked)
    return [
        ("clean", clean, False),
        ("noisy", noisy, True),
        ("noisy, restored", before, True),
        ("attacked", attacked, True),
        ("attacked, restored", after, True),
        ("what the attack changed\nin the output (x 4)", 0.5 + 4 * (after - before), False),
    ]
