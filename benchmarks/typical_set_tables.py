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
from folders import say_what_is_missing
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
# The paper's Table 2, image by image in Set12's order: Gaussian noise, L2 set, L-infinity set.
TABLE_2 = {
    "nt_25": (
        (30.05, 33.03, 30.81, 29.42, 30.25, 29.13, 29.44, 32.33, 29.88, 30.14, 30.05, 30.03),
        (29.62, 31.26, 30.04, 29.04, 29.78, 28.72, 29.13, 30.98, 29.17, 29.36, 29.17, 29.20),
        (29.24, 31.58, 29.84, 28.78, 29.60, 28.65, 28.76, 30.96, 29.13, 29.27, 29.18, 29.15),
    ),
    "ts_pres": (
        (29.95, 33.10, 30.85, 29.46, 30.26, 29.10, 29.43, 32.39, 29.93, 30.14, 30.05, 30.03),
        (29.81, 32.31, 30.50, 29.31, 30.19, 29.03, 29.26, 31.88, 29.60, 29.86, 29.70, 29.67),
        (29.67, 32.51, 30.34, 29.18, 29.99, 28.96, 29.07, 31.79, 29.56, 29.80, 29.70, 29.66),
    ),
    "ts_def": (
        (29.84, 33.04, 30.79, 29.44, 30.25, 29.08, 29.33, 32.36, 29.90, 30.08, 30.00, 30.00),
        (29.77, 32.64, 30.62, 29.39, 30.30, 29.13, 29.23, 32.19, 29.69, 30.01, 29.89, 29.83),
        (29.75, 32.80, 30.51, 29.26, 30.17, 29.08, 29.14, 32.11, 29.67, 29.98, 29.89, 29.83),
    ),
}
TABLE_2["dncnn_gray_sigma25"] = TABLE_2["nt_25"]
# Its Table 3, of all images alone.
TABLE_3 = {"dncnn_blind_gray_sigma0-55": (30.335, 29.533, 29.393)}
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


def paper(name: str, images: int) -> list[str]:
    """The paper's PSNR: of the same images, or in brackets of all."""
    if name in TABLE_3:
        return [f"({value:.2f})" for value in TABLE_3[name]]
    means = [sum(values[:images]) / images for values in TABLE_2[name]]
    return [f"{m:.2f}" + (f" ({m - means[0]:+.2f})" if k else "") for k, m in enumerate(means)]


def table(content: dict[str, Any]) -> str:
    """Markdown: drops on the sets, beside drops under white-box attacks and the paper's."""
    keys = [*SETS, *(f"white-box {key}" for key in SETS)]
    lines = [
        f"| model, {content['images']} images | Gaussian | " + " | ".join(keys)
        + " | paper, the same images: Gaussian | L2 set | L∞ set |",
        "|---|" + "---:|" * (len(keys) + 4),
    ]
    for name, row in content["rows"].items():
        before = row["noisy"]["psnr"]
        cells = [
            f"{row[k]['psnr']:.2f} ({row[k]['psnr'] - before:+.2f})" if k in row else ""
            for k in keys
        ]
        theirs = paper(name, content["images"])
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
    say_what_is_missing()
    main()
