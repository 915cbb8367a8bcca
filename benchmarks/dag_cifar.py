"""Figure 34 of the report on Noise2Noise and DAG: PSNR ratios of its own U-Nets on CIFAR-10.

    python benchmarks/dag_cifar.py --images 846
    python benchmarks/dag_cifar.py --table

PSNR(f(noisy)) / PSNR(f(attacked)), image by image, with the three U-Nets that the report's authors
publish, their noise (clamped and cut to 8 bits) and their DAG. Writes
``results/dag_cifar.json`` and draws the histograms, ``docs/dag_cifar.png``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from folders import say_what_is_missing
from published_attacks import RESULTS, ROOT, WEIGHTS
from robust_restoration_denoisers.n2n_unet import N2NUNet
from safetensors.torch import load_file

import robust_restoration as rr
from robust_restoration.environment import environment
from robust_restoration.files import atomic_path, write_json

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
sys.path.insert(0, str(REPOSITORY / "tests/denoisers"))
from published import noise2noise  # noqa: E402

# File, noise, and the report's mean ratios over its settings. Its code draws Gaussian levels from 0
# to 50/255; the ratio depends on them, so that fixed ones stand beside.
NETS = {
    "Gaussian": ("n2n_unet_cifar_gaussian50", "gaussian:0..50/255,clip=released", (1.10, 1.15)),
    "Poisson": ("n2n_unet_cifar_poisson100", "poisson:100,clip=released", (1.22, 1.24)),
    "impulse": ("n2n_unet_cifar_impulse02", "impulse:0..50/255,0.2,clip=released", (1.28, 1.33)),
    "Gaussian 25": ("n2n_unet_cifar_gaussian50", "gaussian:25/255,clip=released", None),
    "Gaussian 50": ("n2n_unet_cifar_gaussian50", "gaussian:50/255,clip=released", None),
}
# Shares of images with a ratio from here to there, and the report's.
SHARES = {
    "Gaussian": [(0.95, 1.05, 0.2933), (1.4, 9.0, 0.015)],
    "Poisson": [(0.96, 1.06, 0.0009), (1.4, 9.0, 0.0017)],
    "impulse": [(0.0, 1.25, 0.0009), (1.375, 9.0, 0.3158)],
    "Gaussian 25": [(0.95, 1.05, None), (1.4, 9.0, None)],
    "Gaussian 50": [(0.95, 1.05, None), (1.4, 9.0, None)],
}


def ratios(kind: str, given: argparse.Namespace) -> list[float]:
    """One ratio an image; a stopped run goes on from its state."""
    file, noise, _ = NETS[kind]
    model = N2NUNet()
    state = load_file(WEIGHTS / f"{file}.safetensors")
    model.load_state_dict({noise2noise(name): tensor for name, tensor in state.items()})
    result = rr.evaluate(
        model.eval(), "cifar10:test", root=ROOT, limit=given.images, noise=noise, sigma=None,
        threats={"dag": {"attack": "dag", "options": {"norm": given.norm}}}, controls=False,
        checks=False, progress=False, batch_size=32, name=kind, autocast=given.autocast,
        state=given.states / f"{kind.replace(' ', '_')}-{given.norm}.json",
    )
    after = result.values("dag")
    return [value / after[image] for image, value in result.values().items()]


def draw(rows: dict[str, list[float]]) -> None:
    """The histograms."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = {kind: values for kind, values in rows.items() if NETS[kind][2]}  # the report's
    figure = Figure(figsize=(3.2 * len(rows), 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (kind, values) in zip(figure.subplots(1, len(rows)), rows.items(), strict=True):
        axes.hist(values, 30)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_title(f"{kind}: mean {sum(values) / len(values):.2f}", fontsize=9)
        axes.set_xlabel("PSNR noisy / PSNR attacked")
        axes.set_ylabel("images")
    with atomic_path(DOCS / "dag_cifar.png") as temporary:
        figure.savefig(temporary, dpi=110)


def table(content: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| noise | images | mean ratio (95 %) | report | shares of images (report) |",
        "|---|---:|---:|---:|---|",
    ]
    for kind, values in content["ratios"].items():
        found = torch.tensor(values)
        mean, half = float(found.mean()), float(1.96 * found.std() / len(found) ** 0.5)
        theirs = "{:.2f} to {:.2f}".format(*NETS[kind][2]) if NETS[kind][2] else ""
        shares = []
        for low, high, share in SHARES[kind]:
            ours = 100 * float(((found >= low) & (found <= high)).float().mean())
            what = f"above {low}" if high == 9 else f"{low} to {high}" if low else f"below {high}"
            report = "" if share is None else f" ({100 * share:.2f})"
            shares.append(f"{what}: {ours:.1f} %{report}")
        lines.append(
            f"| {kind} | {len(values)} | {mean:.2f} ({mean - half:.2f} to {mean + half:.2f}) | "
            f"{theirs} | {'; '.join(shares)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, or print what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=846)
    parser.add_argument("--kinds", nargs="+", choices=NETS, help="all by default; others are kept")
    parser.add_argument("--norm", choices=("l2", "linf"), default="l2")
    parser.add_argument("--autocast", choices=("bf16",), help="instead of float32")
    parser.add_argument("--states", type=Path, default=Path("runs/dag_cifar"))
    parser.add_argument("--table", action="store_true", help="only print and draw what is there")
    given = parser.parse_args()
    path = RESULTS / "dag_cifar.json"
    if not given.table:
        rows = json.loads(path.read_text(encoding="utf-8"))["ratios"] if path.is_file() else {}
        rows |= {kind: ratios(kind, given) for kind in given.kinds or NETS}
        content = {
            "norm": given.norm, "autocast": given.autocast, "seed": 0, "ratios": rows,
        }
        write_json(path, {**content, "environment": environment()})
    content = json.loads(path.read_text(encoding="utf-8"))
    draw(content["ratios"])
    print(table(content))


if __name__ == "__main__":
    say_what_is_missing()
    main()
