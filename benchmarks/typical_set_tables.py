"""The typical-set paper's Tables 2 to 4: fixed adversarial sets, and each model attacked itself.

    python benchmarks/typical_set_tables.py
    python benchmarks/typical_set_tables.py --table

The paper makes two sets once on one DnCNN, "Set12-Adv-L2" and "Set12-Adv-Linf", and restores them
with every model: a transfer threat model. Here they are made on the shipped DnCNN for 25/255,
``nt_25``, towards the noisy image, L2 without a clamp, L-infinity with the released one. Beside
them the same two attacks are made on each shipped model itself (white-box), on the same noise;
published models restore the fixed sets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from published_attacks import RESULTS, ROOT, WEIGHTS, load_published
from robust_restoration_studies import write_attacked_set
from robust_restoration_studies.attacked_sets import set12_adv_l2, set12_adv_linf

import robust_restoration as rr
from robust_restoration.environment import environment
from robust_restoration.files import write_json

EPS = 25 / 255
SOURCE = "nt_25"
SETS = {"Adv-L2": set12_adv_l2, "Adv-Linf": set12_adv_linf}
SHIPPED = ("nt_25", "ts_pres", "ts_def")
PUBLISHED = ("dncnn_gray_sigma25", "dncnn_blind_gray_sigma0-55")
# The paper's means: Gaussian noise, L2 set, L-infinity set; Tables 2 and 3 (DnCNN-B).
PAPER = {
    "nt_25": (30.387, 29.620, 29.512),
    "ts_pres": (30.390, 30.087, 30.019),
    "ts_def": (30.343, 30.218, 30.183),
    "dncnn_gray_sigma25": (30.387, 29.620, 29.512),
    "dncnn_blind_gray_sigma0-55": (30.335, 29.533, 29.393),
}
FILE = RESULTS / "typical_set_tables.json"


def load(name: str) -> torch.nn.Module:
    """One of the models."""
    model = (
        rr.create_denoiser("dncnn_b", weights=name)
        if name in SHIPPED
        else load_published(WEIGHTS, name)
    )
    return model.eval().to(memory_format=torch.channels_last)


def pictures(images: int, side: int) -> Any:
    """The first images of Set12, or squares out of their middle."""
    found = rr.load_images("set12", root=ROOT, limit=images)
    if not side:
        return found
    squares = []
    for number in range(len(found)):
        image = found.image(number)
        top, left = ((length - side) // 2 for length in image.shape[1:])
        squares.append(image[:, top : top + side, left : left + side])
    return squares


def measure(images: int, side: int, folder: Path) -> dict[str, Any]:
    """All figures: for each model on noise, on both sets, and under both attacks."""
    source, data = load(SOURCE), pictures(images, side)
    for named in SETS.values():
        write_attacked_set(
            source, data, folder / named.folder, attack=named.attack, overwrite=True, name=SOURCE
        )
    rows: dict[str, Any] = {}
    options: dict[str, Any] = {"sigma": EPS, "checks": False, "progress": False, "batch_size": 1}
    for name in (*SHIPPED, *PUBLISHED):
        model = load(name)
        own = SETS if name in SHIPPED else {}
        threats = {f"white-box {key}": named.attack for key, named in own.items()}
        result = rr.evaluate(
            model, data, threats=threats, controls=False, **options
        )
        found = {"noisy": result, **{key: result for key in threats}}
        row = {
            key: {m: each.mean(*([] if key == "noisy" else [key]), metric=m) for m in METRICS}
            for key, each in found.items()
        }
        for key, named in SETS.items():
            on_set = rr.evaluate(model, named.name, root=folder, threats=[], **options)
            row[key] = {m: on_set.mean(metric=m) for m in METRICS}
        rows[name] = row
        print(name, {key: round(value["psnr"], 2) for key, value in row.items()}, flush=True)
    return {"images": images, "side": side, "source": SOURCE, "seed": 0, "rows": rows}


METRICS = ("psnr", "ssim", "mae")


def table(content: dict[str, Any]) -> str:
    """Markdown: drops on the sets, beside drops under white-box attacks and the paper's."""
    keys = [*SETS, *(f"white-box {key}" for key in SETS)]
    lines = [
        f"| model, {content['images']} images | Gaussian | " + " | ".join(keys)
        + " | paper: Gaussian | L2 set | L∞ set |",
        "|---|" + "---:|" * (len(keys) + 4),
    ]
    for name, row in content["rows"].items():
        before = row["noisy"]["psnr"]
        cells = [
            f"{row[k]['psnr']:.2f} ({row[k]['psnr'] - before:+.2f})" if k in row else ""
            for k in keys
        ]
        theirs = [f"{value:.2f}" for value in PAPER.get(name, ())] or ["", "", ""]
        lines.append(f"| {name} | {before:.2f} | {' | '.join([*cells, *theirs])} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, or print what is there."""
    import json

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--side", type=int, default=0, help="of squares; 0: whole images")
    parser.add_argument("--folder", type=Path, default=Path("runs/attacked"))
    parser.add_argument("--table", action="store_true", help="only print what is there")
    given = parser.parse_args()
    if not given.table:
        found = measure(given.images, given.side, given.folder)
        write_json(FILE, {**found, "environment": environment()})
    print(table(json.loads(FILE.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
