"""The papers' attack tables with the published denoisers, ours beside theirs, controls below.

    python benchmarks/published_attacks.py obsatk denoising_pgd transfer colour similitude

``obsatk``: Table 1 of the ObsAtk paper; of the denoising-PGD paper ``denoising_pgd``: Tables I to
III with controls, ``transfer``: Tables III to V with the models at hand, ``colour``: Table VII,
``similitude``: Table VI. The published weights are other people's trainings: compare the drops more
than the levels. Each part is kept in ``results/published-PART.json`` when it is done, and
``--table`` prints Markdown of what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import robust_restoration_studies
import torch
from conditions import means
from folders import say_what_is_missing
from robust_restoration_studies import TransferResult

import robust_restoration as rr
from robust_restoration.environment import environment
from robust_restoration.files import write_json

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
STATES = Path("runs/published")  # where a stopped table goes on from
SHARED = HERE.parent.parent / "shared"
WEIGHTS = Path(os.environ.get("ROBUST_RESTORATION_WEIGHTS") or SHARED / "weights")
ROOT = Path(os.environ.get("ROBUST_RESTORATION_DATA") or SHARED / "data")
# How each published file's tensors are called is written down beside the tests that check them.
sys.path.insert(0, str(HERE.parent / "tests/denoisers"))
from published import load_published  # noqa: E402

EPS = 25 / 255
# ObsAtk paper, Table 1: PSNR of N, Atk-5/255, Atk-7/255 at 25/255 and 15/255. "BSD68" is colour.
OBSATK = {
    "set12": ("dncnn_blind_gray_sigma0-30", [(25, 30.39, 24.32, 22.96), (15, 32.78, 26.91, 26.25)]),
    "set68": ("dncnn_blind_gray_sigma0-30", [(25, 29.16, 24.26, 23.12), (15, 31.68, 26.66, 26.08)]),
    "cbsd68": (
        "dncnn_blind_color_sigma0-55",
        [(25, 31.25, 27.44, 26.08), (15, 33.98, 29.31, 27.84)],
    ),
}
# Denoising-PGD paper, Table III: PSNR on Gaussian noise and under attack.
DENOISING_PGD: dict[str, tuple[float, float] | None] = {
    "dncnn_gray_sigma25": (30.40, 29.47),
    "ecndnet_gray_sigma25": (30.38, 29.51),
    "dncnn_blind_gray_sigma0-55": (30.31, 25.78),
    "adnet_gray_sigma25": None,  # not attacked there
    "rddcnn_gray_sigma25": None,  # only by attacks made on others
}


# The denoising-PGD paper's models with published weights, and those that its Table III attacks.
GRAY = (
    "dncnn_gray_sigma25", "dncnn_blind_gray_sigma0-55", "ffdnet_gray", "ecndnet_gray_sigma25",
    "adnet_gray_sigma25", "rddcnn_gray_sigma25",
)
COLOUR = (
    "ffdnet_color", "dncnn_blind_color_sigma0-55", "adnet_color_sigma25", "n2n_unet_color_gaussian",
)
SOURCES = ("dncnn_gray_sigma25", "dncnn_blind_gray_sigma0-55", "ecndnet_gray_sigma25")
RELEASED = {"target": "noisy", "clip": "paper"}  # as the authors' code attacks


def evaluate(name: str, data: str, limit: int | None, **options: Any) -> Any:
    """One denoiser, evaluated."""
    model = load_published(WEIGHTS, name).to(DEVICE, memory_format=torch.channels_last)
    began = time.monotonic()
    result = rr.evaluate(
        model, data, root=ROOT, limit=limit, checks=False, name=name, progress=False,
        batch_size=4, **options,
    )
    print(result, f"{time.monotonic() - began:.0f} s", flush=True)
    return result


def obsatk(limits: dict[str, int | None]) -> list[dict[str, Any]]:
    """Table 1 of the ObsAtk paper."""
    rows = []
    for data, (model, published) in OBSATK.items():
        for level, normal, five, seven in published:
            for eps, theirs in ((5, five), (7, seven)):
                result = evaluate(
                    model, data, limits.get(data), sigma=level / 255, eps=eps / 255,
                    within_level=True, threats={
                        "as released": "obsatk clip=paper", "project": "obsatk",
                    },
                )
                rows.append(
                    {
                        "data": data, "images": len(result.images()), "model": model,
                        "level": level,
                        "attack": f"Atk-{eps}/255", "paper": [normal, theirs],
                        "ours": means(result),
                    }
                )
    return rows


def denoising_pgd(limits: dict[str, int | None]) -> list[dict[str, Any]]:
    """Tables I to III of the denoising-PGD paper."""
    rows = []
    for model, theirs in DENOISING_PGD.items():
        threats = {
            f"target={target}, clip={clip}": {
                "attack": "denoising_pgd", "eps": 0.012, "target": target, "clip": clip,
            }
            for target, clip in (("clean", "paper"), ("noisy", "paper"), ("noisy", None))
        }
        result = evaluate(model, "set12", limits.get("set12"), sigma=EPS, threats=threats)
        rows.append(
            {
                "model": model, "images": len(result.images()), "paper": theirs,
                "ours": means(result),
                "ssim": means(result, "ssim"),
                "mae": {c: 255 * v for c, v in means(result, "mae").items()},
            }
        )
    return rows


def loaded(names: Sequence[str]) -> dict[str, torch.nn.Module]:
    """Published denoisers by their files' names."""
    return {name: load_published(WEIGHTS, name).to(DEVICE) for name in names}


def transfer(limits: dict[str, int | None]) -> list[dict[str, Any]]:
    """Tables III to V: attacks made on one-level and blind models, restored by all."""
    return [{"transfer": transferred(GRAY, SOURCES, "set12", 0.012, limits.get("transfer"))}]


def colour(limits: dict[str, int | None]) -> list[dict[str, Any]]:
    """Table VII: an attack of 0.055 made on FFDNet in colour, restored by all."""
    return [{"transfer": transferred(COLOUR, COLOUR[:1], "set3c", 0.055)}]


def transferred(
    names: Sequence[str], sources: Sequence[str], data: str, eps: float, limit: int | None = None
) -> dict[str, Any]:
    """Denoising-PGD made on some models and restored by all, on one noise."""
    threats = {
        source: rr.Threat("denoising_pgd", RELEASED, through=source, eps=eps, controls=False)
        for source in sources
    }
    result = rr.evaluate(
        loaded(names), data, root=ROOT, limit=limit, threats=threats, sigma=EPS, batch_size=1,
        checks=False, progress=False, state=STATES / f"transfer-{data}.json",
    )
    return TransferResult(result).to_dict()


def similitude(limits: dict[str, int | None]) -> list[dict[str, Any]]:
    """Table VI: how far radar polygons overlap, on a circle and on the authors' ellipse."""
    return [
        {
            shape: robust_restoration_studies.similitude(
                loaded(GRAY), "set12", root=ROOT, limit=limits.get("similitude"), sigma=EPS,
                attack_options={"eps": 0.012, **RELEASED}, shape=shape,
                count=limits.get("directions") or 100,
            ).to_dict()
            for shape in ("circle", "ellipse")  # the latter is the authors' script
        }
    ]


PARTS = {
    "obsatk": obsatk,
    "denoising_pgd": denoising_pgd,
    "transfer": transfer,
    "colour": colour,
    "similitude": similitude,
}
# What the tables hold by default: the seven images of Set12 that are 256x256, and of the larger
# sets so many that a table takes minutes on one core.
LIMITS: dict[str, int | None] = {
    "set12": 7, "set68": 4, "cbsd68": 3, "transfer": 7, "similitude": 1, "directions": 24
}


def table(part: str) -> str:
    """Markdown of one part's result."""
    content = json.loads((RESULTS / f"published-{part}.json").read_text())
    lines = []
    if part == "obsatk":
        lines += [
            "| data | ε̂ | attack | paper: N | paper: attacked | ours: N | as released | project | "
            "clamp only | same energy | random direction |",
            "|---|---|---|" + "---:|" * 8,
        ]
        for row in content["rows"]:
            ours = row["ours"]
            cells = [*row["paper"], ours["noisy"], ours["as released"], ours["project"]] + [
                ours[f"as released / {c}"] for c in ("clamp only", "same energy")
            ] + [ours["project / random direction"]]
            figures = " | ".join(f"{c:.2f}" for c in cells)
            lines.append(
                f"| {row['data']}, {row['images']} images | {row['level']} | {row['attack']} | "
                f"{figures} |"
            )
    elif part in ("transfer", "colour"):
        found = content["rows"][0]["transfer"]
        result = rr.Result.from_json(json.dumps(found))
        names, dmr = found["names"], found["dmr"]
        lines += [
            f"| made on ↓, restored by → | {' | '.join(names)} |", "|---|" + "---:|" * len(names)
        ]
        for metric, scale, digits in (("psnr", 1, 2), ("ssim", 1, 3), ("mae", 255, 2)):
            plain = [scale * result.mean(metric=metric, subject=n) for n in names]
            lines.append(
                f"| plain noise, {metric} | " + " | ".join(f"{v:.{digits}f}" for v in plain) + " |"
            )
            for source in dmr:
                each = [scale * result.dmr(source, metric, subject=n) for n in names]
                cells = " | ".join(f"{v:+.{digits}f}" for v in each)
                lines.append(f"| {source}, {metric} | {cells} |")
    elif part == "similitude":
        for shape, found in content["rows"][0].items():
            names = found["names"]
            lines += ["", f"| DMRS, {shape} | {' | '.join(names)} |"]
            lines.append("|---|" + "---:|" * len(names))
            for n in names:
                cells = " | ".join(f"{found['dmrs'][n][m]:.2f}" for m in names)
                lines.append(f"| {n} | {cells} |")
    else:
        controls = ("clamp only", "same energy", "random direction")
        lines += [
            "| model | paper | ours: Gaussian | attack | attacked | change | "
            + " | ".join(f"{c}: change" for c in controls)
            + " | SSIM | MAE×255 |",
            "|---|---|---:|---|" + "---:|" * 7,
        ]
        for row in content["rows"]:
            ours, paper = row["ours"], row["paper"]
            theirs = "–"
            if paper:
                theirs = f"{paper[0]:.2f} → {paper[1]:.2f} ({paper[1] - paper[0]:+.2f})"
            for attack, value in ours.items():
                if attack == "noisy" or " / " in attack:
                    continue
                changes = [value, *(ours[f"{attack} / {c}"] for c in controls)]
                cells = " | ".join(f"{v - ours['noisy']:+.2f}" for v in changes)
                lines.append(
                    f"| {row['model']} | {theirs} | {ours['noisy']:.2f} | {attack} | {value:.2f} | "
                    f"{cells} | "
                    f"{row['ssim'][attack]:.3f} | {row['mae'][attack]:.2f} |"
                )
    return "\n".join(lines)


def main() -> None:
    """Run parts, or print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--full", action="store_true", help="all images of every set")
    parser.add_argument("--images", type=int, help="of Set12 in obsatk, denoising_pgd, transfer")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    for part in options.parts:
        if not options.table:
            limits = {} if options.full else dict(LIMITS)
            if options.images:
                limits |= {"set12": options.images, "transfer": options.images}
            rows = PARTS[part](limits)
            path = RESULTS / f"published-{part}.json"
            write_json(path, {"rows": rows, "precision": "fp32", "environment": environment()})
        print(table(part))


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

if __name__ == "__main__":
    say_what_is_missing()
    main()
