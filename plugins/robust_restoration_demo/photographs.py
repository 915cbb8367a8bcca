"""First part: a normally trained and a robust denoiser, attacked on three photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.files import atomic_path

SIGMA, EPS = 20 / 255, 5 / 255
MODELS = {"nt": "normal training", "hat": "HAT"}
SIDE = 80
# Fewer steps than where figures are reported (50), of which 20 take 0.15 dB more here.
STEPS = 10


def attack_photographs(out: Path, console: Console, *, seed: int) -> dict[str, Any]:
    """Restore photographs with two denoisers as they come and under attack, and show it.

    Args:
        out: Folder for ``photographs.png``.
        console: Where to print.
        seed: Of the noise and of controls.

    Returns:
        ``psnr``: mean PSNR by model and condition; ``result``: everything.
    """
    images = load_photographs()
    console.print(
        f"[bold]1. Two denoisers[/bold] restore photographs with noise of {255 * SIGMA:.0f}/255: "
        "the same network, trained normally and with HAT, whose training images are attacked. On "
        f"top of the noise comes an attack of {255 * EPS:.0f}/255, made to be restored as badly as "
        "possible.\n   First one photograph, to look at:"
    )
    picture = out / "photographs.png"
    draw_photographs(images.image(0), picture, seed=seed)
    console.print(
        f"   {picture}\n   Then {len(images)}, to count, under ObsAtk and its adaptive form. Below "
        "each stand changes of the same size that know nothing of the denoiser: what costs no more "
        "than these is not the attack's doing."
    )
    result = rr.evaluate(
        {label: rr.create_denoiser("dncnn_b", weights=tag) for tag, label in MODELS.items()},
        images,
        threats={"ObsAtk": "obsatk", "adaptive": f"obsatk_auto steps={STEPS}"},
        sigma=SIGMA,
        eps=EPS,
        metrics=["psnr"],
        seed=seed,
        checks=False,
        progress=False,
    )
    console.print(result, highlight=False)
    figures = {
        tag: {
            "noisy": result.mean(subject=label),
            **{threat: result.mean(threat, subject=label) for threat in result.threats},
        }
        for tag, label in MODELS.items()
    }
    nt, hat = figures["nt"], figures["hat"]
    console.print(
        f"Under the adaptive attack normal training keeps {nt['adaptive']:.1f} dB of "
        f"{nt['noisy']:.1f}, HAT {hat['adaptive']:.1f} of {hat['noisy']:.1f}. Random changes of "
        "the same size cost next to nothing: see the controls.\n",
        highlight=False,
    )
    return {"psnr": figures, "result": result}


def load_photographs() -> rr.RestorationImages:
    """Gray squares of three of scikit-image's bundled photographs, 80x80."""
    from skimage import color, data

    squares = {
        "cameraman": data.camera()[88 : 88 + SIDE, 184 : 184 + SIDE] / 255,
        "astronaut": color.rgb2gray(data.astronaut())[30 : 30 + SIDE, 140 : 140 + SIDE],
        "coins": data.coins()[10 : 10 + SIDE, 20 : 20 + SIDE] / 255,
    }
    clean = [torch.from_numpy(pixels).float()[None].contiguous() for pixels in squares.values()]
    return rr.RestorationImages("photographs", clean, list(squares))


def draw_photographs(clean: Tensor, path: Path, *, seed: int = 0) -> None:
    """Draw an image noisy, attacked, and restored, with a row for each denoiser.

    Args:
        clean: (1, H, W) in [0, 1].
        path: The picture's file.
        seed: Of the noise.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    noisy, _ = rr.Gaussian(SIGMA)(clean[None], seed=seed)
    figure = Figure(figsize=(13.2, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(MODELS), 6)
    for number, (row, (tag, label)) in enumerate(zip(grid, MODELS.items(), strict=True)):
        panels = _panels(rr.create_denoiser("dncnn_b", weights=tag), noisy, clean[None])
        for panel, (title, image, measured) in zip(row, panels, strict=True):
            panel.imshow(image[0, 0].clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
            panel.set_xticks([])
            panel.set_yticks([])
            if number == 0:
                panel.set_title(title, fontsize=11)
            if measured:
                panel.set_xlabel(f"PSNR {rr.psnr(image, clean[None]).item():.1f} dB", fontsize=11)
        row[0].set_ylabel(label, fontsize=12)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, bbox_inches="tight")


def _panels(
    denoiser: nn.Module, noisy: Tensor, clean: Tensor
) -> list[tuple[str, Tensor, bool]]:
    attacked = rr.create_attack("obsatk_auto", denoiser, eps=EPS, steps=STEPS)(noisy, clean)
    with torch.no_grad():
        before, after = denoiser(noisy), denoiser(attacked)
    return [
        ("clean", clean, False),
        (f"noisy\nσ = {255 * SIGMA:g}/255", noisy, True),
        ("noisy, restored", before, True),
        (f"and attacked\nObsAtk, adaptive, eps = {255 * EPS:g}/255", attacked, True),
        ("attacked, restored", after, True),
        ("what the attack changed\nin the output (x 4)", 0.5 + 4 * (after - before), False),
    ]
