"""The smallest perturbation that does a denoiser some given harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count, check_level, check_positive, parse_attack

from .findings import Findings, table
from .scenes import PAPER, Scenes, attack_on


@dataclass
class MinimalFindings(Findings):
    """The least eps an image.

    Attributes:
        images: Their names.
        psnr: Of the noisy images, restored, in dB.
        eps: The least budget that was found, a fraction of [0, 1]; ``None`` where even the largest
            that was tried does not do it.
        rms: Root mean square of that perturbation.
        drop: How far PSNR then falls.
        threshold: M, by how many dB it must fall.
        highest: The largest budget that was tried.
        settings: What it was computed with.
    """

    images: list[str]
    psnr: list[float]
    eps: list[float | None]
    rms: list[float | None]
    drop: list[float]
    threshold: float
    highest: float
    settings: dict[str, Any] = field(default_factory=dict)

    def to_markdown(self) -> str:
        """A row an image."""
        rows = []
        for name, before, eps, rms, drop in zip(
            self.images, self.psnr, self.eps, self.rms, self.drop, strict=True
        ):
            sizes = [f"> {255 * self.highest:.2f}", ""]
            if eps is not None and rms is not None:
                sizes = [f"{255 * eps:.2f}", f"{255 * rms:.2f}"]
            rows.append([name, f"{before:.2f}", *sizes, f"{drop:.2f}"])
        heads = ["image", "PSNR on noise", "least eps × 255", "its rms × 255", "drop in dB"]
        return table(heads, rows)

    def draw(self, figure: Any) -> None:
        """How many images have fallen at each eps."""
        figure.set_size_inches(4.6, 3.4)
        axes = figure.subplots()
        found = sorted(255 * eps for eps in self.eps if eps is not None)
        shares = [(n + 1) / len(self.eps) for n in range(len(found))]
        axes.step([0, *found, 255 * self.highest], [0, *shares, (shares or [0])[-1]], where="post")
        axes.set_ylim(0, 1.03)
        axes.set_xlabel("eps × 255")
        axes.set_ylabel("share of images")
        axes.set_title(f"fallen by more than {self.threshold:g} dB", fontsize=10)


def minimal_perturbation(
    denoiser: nn.Module,
    data: Any,
    *,
    threshold: float = 1.0,
    highest: float = 16 / 255,
    halvings: int = 7,
    attack: str = PAPER,
    sigma: float = 25 / 255,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> MinimalFindings:
    """The least eps with which an attack lowers PSNR by more than M (denoising-PGD paper, eq. 2).

    By bisection, so that it is an upper bound of what is least: an attack may miss what there is,
    and need not grow stronger with every eps.

    Args:
        denoiser: The denoiser.
        data: As `load_images` takes it.
        threshold: M, in dB, above 0.
        highest: The largest eps that is tried.
        halvings: Of the range from 0 to that: the result is as exact as its last part.
        attack: As `Scenes` takes it; its ``eps`` is what is looked for.
        sigma: As `Scenes` takes it.
        limit: As `Scenes` takes it.
        root: As `Scenes` takes it.
        seed: As `Scenes` takes it.

    Raises:
        InputError: If an option makes no sense.
    """
    check_positive("threshold", threshold, "dB")
    check_positive("highest", check_level("highest", highest))
    check_count("halvings", halvings)
    _, options = parse_attack(attack)
    if options.get("alpha") is not None:
        raise InputError("alpha would stay while eps changes; leave it out of the attack.")
    scenes = Scenes(denoiser, data, attack=attack, sigma=sigma, limit=limit, root=root, seed=seed)
    maker = attack_on(denoiser, attack, sigma, seed)
    found = MinimalFindings(
        list(scenes.images.names), [], [], [], [], threshold, highest,
        scenes.settings(threshold=threshold, highest=highest, halvings=halvings),
    )
    for number in scenes.numbers():
        noisy, clean = scenes.pair(number)
        before = float(scenes.psnr(noisy, clean))
        best: tuple[float, float, float] | None = None
        low, high, drop = 0.0, highest, 0.0
        for step in range(halvings + 1):
            eps = high if not step else (low + high) / 2
            maker.eps = eps
            attacked = maker(noisy, clean, index=number)
            drop = before - float(scenes.psnr(attacked, clean))
            if drop > threshold:
                rms = float((attacked - noisy).double().square().mean().sqrt())
                best, high = (eps, rms, drop), eps
            elif not step:
                break
            else:
                low = eps
        found.psnr.append(before)
        found.eps.append(best[0] if best else None)
        found.rms.append(best[1] if best else None)
        found.drop.append(best[2] if best else drop)
    return found
