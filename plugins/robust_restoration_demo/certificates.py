"""Third part: what no attacker can change, on the same digits and before the same classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from torch import nn

import robust_restoration as rr

SIGMA, BLUR = 0.25, 2.0  # the noise; pixels, which digits of 8x8 made 32x32 do not mind
RADIUS = 0.25
IMAGES, DRAWS = 60, 150


def certify_digits(
    classifier: nn.Module, test: rr.LabelledImages, out: Path, console: Console, *,
    seed: int, quiet: bool,
) -> dict[str, Any]:
    """Certify the classifier behind a blur by randomised smoothing, and draw the curve.

    Args:
        classifier: The bare classifier.
        test: Test images, of which the first `IMAGES` are taken.
        out: Folder for ``certified.png``.
        console: Where to print.
        seed: Of everything random.
        quiet: Show no progress bar.

    Returns:
        The share that is certified at `RADIUS`, the picture's file, and ``certificates``, all of
        them.
    """
    console.print(
        f"\n[bold]5. A certificate[/bold]: {DRAWS} noisy copies of each of {IMAGES} digits are "
        "blurred and classified; how clear the majority is tells a radius within which no "
        "perturbation of the image changes it, whoever makes it (randomised smoothing)."
    )
    certifier = rr.create_certifier(
        classifier, sigma=SIGMA, denoiser=rr.create_purifier("gaussian_blur", sigma=BLUR),
        seed=seed,
    )
    found = certifier.certify_set(test, n0=10, n=DRAWS, limit=IMAGES, progress=not quiet)
    console.print(found.to_markdown(), highlight=False, soft_wrap=True)  # rows stay rows
    picture = out / "certified.png"
    found.plot(picture)
    return {
        "certified": found.certified(RADIUS)[0], "certified_radius": RADIUS,
        "smoothed_clean": found.certified(0.0)[0], "certified_curve": str(picture),
        "certificates": found,
    }
