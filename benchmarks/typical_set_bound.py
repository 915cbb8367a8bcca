"""What the length of an attack's noise costs, even a network that is made for it.

    python benchmarks/typical_set_bound.py

Denoising-PGD makes noise longer. This measures by how much, on a network for noise of 25/255, with
and without the papers' clamp, and restores Gaussian noise of that level with the published blind
DnCNN: no training for one level can be expected to lose less.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from folders import say_what_is_missing
from published_attacks import ROOT, WEIGHTS, load_published
from timing import write

import robust_restoration as rr

LEVEL, EPS = 25 / 255, 0.012
BLIND = "dncnn_blind_gray_sigma0-55"


def restored(model: torch.nn.Module, level: float, images: int) -> float:
    """Mean PSNR on Set12 with Gaussian noise of a level."""
    return rr.evaluate(
        model, "set12", root=ROOT, limit=images, sigma=level, threats=[], checks=False,
        progress=False,
    ).mean()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    known = rr.create_denoiser("dncnn_b", weights="nt_25").to(memory_format=torch.channels_last)
    blind = load_published(WEIGHTS, BLIND).to(memory_format=torch.channels_last)
    images = rr.load_images("set12", root=ROOT, limit=given.images)
    noisy, clean, _ = images.pair(range(len(images)), rr.Gaussian(LEVEL), seed=0)
    rows: list[dict[str, Any]] = [{"clip": "", "level": 255 * LEVEL}]
    for clip in (None, "paper"):
        attack = rr.create_attack("denoising_pgd", known, eps=EPS, target="noisy", clip=clip)
        noise = attack(noisy, clean) - clean
        level = float(noise.flatten(1).square().mean(1).sqrt().mean())
        rows.append({"clip": clip or "none", "level": 255 * level})
    for row in rows:
        row["psnr of the blind network"] = restored(blind, row["level"] / 255, given.images)
    print("| the attack's clamp | level of the noise | PSNR of the blind DnCNN | loss |")
    print("|---|---:|---:|---:|")
    for row in rows:
        found = row["psnr of the blind network"]
        loss = rows[0]["psnr of the blind network"] - found
        print(f"| {row['clip'] or 'no attack'} | {row['level']:.1f} | {found:.2f} | {loss:.2f} |")
    write("typical_set_bound", {"rows": rows})


if __name__ == "__main__":
    say_what_is_missing()
    main()
