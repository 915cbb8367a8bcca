"""What training methods gain, under the papers' attacks and under stronger ones.

    python benchmarks/defended_denoisers.py gray nt vat hat ts_pres ts_def nt_25
    python benchmarks/defended_denoisers.py colour nt vat hat bm3d
    python benchmarks/defended_denoisers.py one_level nt_25 ts_pres ts_def mixed_25.5 mixed_26 dpgd
    python benchmarks/defended_denoisers.py gray nt --table
    python benchmarks/defended_denoisers.py gray nt vat hat ts_pres ts_def nt_25 --table --ship

Evaluates the weights that the package ships (`train_denoisers.py` trains them), or where it ships
none what `train_denoisers.py` left in ``runs``. The tables: 2, 3 and the idea of 4 of the ObsAtk
paper; 2 and 4 of the typical-set paper; VIII of the denoising-PGD paper; and what the papers do not
ask: the same models under ``obsatk_auto`` and under the worst of several attacks, with controls.
Each model's figures are kept in ``results/defended-BENCH-MODEL.json``; ``--table`` prints Markdown
of all that are there, and ``--ship`` puts those under attack on the model's card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from conditions import means
from folders import say_what_is_missing
from skimage.restoration import estimate_sigma

import robust_restoration as rr
from robust_restoration.environment import environment
from robust_restoration.files import write_json
from robust_restoration.models.shipped import model_card, shipped

RESULTS = Path(__file__).resolve().parent / "results"
DENOISERS = {"gray": "dncnn_b", "colour": "dncnn_c", "one_level": "dncnn"}
ONE_LEVEL = ("nt_25", "ts_pres", "ts_def", "mixed_25.5", "mixed_26", "dpgd")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# ObsAtk paper, Tables 2 and 3: level to PSNR on Gaussian noise and under Atk-3, 5, 7.
PAPER = {
    "gray": {
        "nt": {25: (29.16, 26.20, 24.26, 23.12), 15: (31.68, 27.98, 26.66, 26.08)},
        "vat": {25: (29.05, 27.02, 25.51, 24.34), 15: (31.53, 28.74, 27.43, 26.68)},
        "hat": {25: (28.88, 27.48, 26.40, 25.32), 15: (31.36, 29.52, 28.34, 27.34)},
    },
    "colour": {
        "nt": {25: (31.25, 28.93, 27.44, 26.08), 15: (33.98, 31.09, 29.31, 27.84)},
        "vat": {25: (30.64, 28.81, 27.67, 26.64), 15: (33.45, 31.10, 29.79, 28.63)},
        "hat": {25: (30.98, 29.18, 28.02, 26.93), 15: (33.67, 31.38, 30.03, 28.80)},
    },
}
# Typical-set paper, Table 4: PSNR on Gaussian noise, and under its two attacks; for "dpgd" the
# denoising-PGD paper's Table VIII.
TYPICAL = {
    "nt_25": (30.3871, 29.6201, 29.5117),
    "mixed_25.5": (30.4035, 29.9174, 29.8235),
    "mixed_26": (30.3839, 30.0874, 30.0214),
    "ts_pres": (30.3900, 30.0871, 30.0179),
    "ts_def": (30.3491, 30.2183, 30.1881),
    "dpgd": (29.6, 29.7),
}
# ObsAtk paper, Table 4: PSNR on the real noise of CC.
REAL = {"bm3d": 35.19, "nt": 33.56, "vat": 34.49, "hat": 36.26}
# Images of each set that are used without --full: minutes a model on one core.
LIMITS = {"set68": 12, "cbsd68": 4, "set12": 7}
WORST = {
    "attack": "worst_case",
    "attacks": ["obsatk_auto", ("obsatk", {"steps": 20, "alpha": 0.1 * 5 / 255})],
    "restarts": 2,
}


class EstimatedBM3D(rr.Denoiser):
    """BM3D, told what scikit-image, by PyWavelets, estimates the level of each image to be."""

    differentiable = False

    def __init__(self) -> None:
        super().__init__()
        self.bm3d = rr.create_denoiser("bm3d")

    def forward(self, noisy: torch.Tensor, sigma: Any = None) -> torch.Tensor:
        """Restore (N, C, H, W)."""
        levels = [
            estimate_sigma(image.permute(1, 2, 0).numpy(), channel_axis=-1, average_sigmas=True)
            for image in noisy
        ]
        restored: torch.Tensor = self.bm3d(noisy, torch.tensor(levels))
        return restored


def figures(model: Any, name: str, data: str, limit: int | None, **options: Any) -> dict[str, Any]:
    """One evaluation, as plain data."""
    result = rr.evaluate(
        model, data, limit=limit, name=name, progress=False, batch_size=4, **options
    )
    print(result, flush=True)
    return result.to_dict()


def obsatk_tables(model: Any, bench: str, name: str, full: bool) -> dict[str, Any]:
    """Tables 2 and 3: Gaussian noise and Atk-3, 5, 7 at two levels."""
    data = {"gray": "set68", "colour": "cbsd68"}[bench]
    found = {}
    for level in (25, 15):
        for eps in (3, 5, 7):
            found[f"{level} Atk-{eps}"] = figures(
                model, name, data, None if full else LIMITS[data], sigma=level / 255,
                eps=eps / 255, within_level=True, threats=["obsatk"], controls=False, checks=False,
            )
    return found


def stronger(model: Any, bench: str, name: str, full: bool) -> dict[str, Any]:
    """Atk-5/255 at 25/255, solved further, with the controls."""
    data, limit = {"gray": ("set12", 7), "colour": ("cbsd68", 2)}[bench]
    return figures(
        model, name, data, None if full else limit, sigma=25 / 255, eps=5 / 255, within_level=True,
        threats={"obsatk": "obsatk", "obsatk_auto": "obsatk_auto", "worst": WORST},
    )


def typical_tables(model: Any, bench: str, name: str, full: bool) -> dict[str, Any]:
    """Gaussian noise of 25/255, and the attacks of the denoising-PGD and typical-set papers."""
    return figures(
        model, name, "set12", None if full else LIMITS["set12"], sigma=25 / 255,
        eps=0.012, threats={
            "denoising_pgd, away from clean": "denoising_pgd",
            "denoising_pgd, towards noisy": "denoising_pgd target=noisy",
            "l2_denoising_pgd": "l2_denoising_pgd",
            "obsatk_auto": "obsatk_auto",
        },
        checks=False,
    )


def real_noise(model: Any, bench: str, name: str, full: bool) -> dict[str, Any]:
    """The real noise of CC, for models trained with synthetic noise only."""
    return figures(model, name, "cc", None, sigma=None, threats=[], checks=False)


def parts(bench: str, tag: str) -> dict[str, Any]:
    """What is evaluated of a model."""
    if tag in ONE_LEVEL:
        return {"typical": typical_tables}
    if tag == "bm3d":
        return {"real": real_noise}
    found = {"obsatk": obsatk_tables, "stronger": stronger}
    if bench == "gray":
        found["typical"] = typical_tables
    else:
        found["real"] = real_noise
    return found


def load(bench: str, tag: str) -> dict[str, Any] | None:
    """A model's figures, if they are there."""
    path = RESULTS / f"defended-{bench}-{tag}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def read(figures: dict[str, Any]) -> rr.Result:
    """One evaluation that a file holds."""
    return rr.Result.from_json(json.dumps(figures))


def psnr(figures: dict[str, Any]) -> dict[str, float]:
    """Its PSNR by condition."""
    return means(read(figures))


def tables(bench: str) -> str:
    """Markdown of all models of a bench."""
    if bench not in PAPER:
        return _typical(bench)
    blocks = []
    rows = ["| model | ε̂ | N | Atk-3 | Atk-5 | Atk-7 | paper: N | Atk-3 | Atk-5 | Atk-7 |"]
    rows.append("|---|---|" + "---:|" * 8)
    for tag, levels in PAPER[bench].items():
        found = load(bench, tag)
        for level, theirs in levels.items():
            if found:
                three = [psnr(found["obsatk"][f"{level} Atk-{e}"]) for e in (3, 5, 7)]
                ours = [three[0]["noisy"], *(m["obsatk"] for m in three)]
                cells = " | ".join(f"{v:.2f}" for v in (*ours, *theirs))
                rows.append(f"| {tag} | {level} | {cells} |")
    blocks.append("\n".join(rows))
    rows = [
        "| model | noisy | obsatk | obsatk_auto | worst | · clamp only | · same energy | "
        "· random direction |",
        "|---|" + "---:|" * 7,
    ]
    names = ["noisy", "obsatk", "obsatk_auto", "worst"] + [
        f"obsatk_auto / {c}" for c in ("clamp only", "same energy", "random direction")
    ]
    for tag in PAPER[bench]:
        found = load(bench, tag)
        if found:
            ours = psnr(found["stronger"])
            cells = " | ".join(f"{ours[name]:.2f}" for name in names)
            rows.append(f"| {tag} | {cells} |")
    blocks.append("\n".join(rows))
    if bench == "gray":
        blocks.append(_typical(bench))
    else:
        rows = ["| model | CC | paper |", "|---|---:|---:|"]
        for tag, theirs in REAL.items():
            found = load(bench, tag)
            if found:
                cc = psnr(found["real"])["noisy"]
                rows.append(f"| {tag} | {cc:.2f} | {theirs:.2f} |")
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks)


def _typical(bench: str) -> str:
    names = [
        "noisy", "denoising_pgd, away from clean", "denoising_pgd, towards noisy",
        "denoising_pgd, towards noisy / same energy", "l2_denoising_pgd", "obsatk_auto",
        "obsatk_auto / same energy",
    ]
    heads = [n if " / " not in n else f"· {n.split(' / ')[1]}" for n in names]
    rows = [
        "| model | " + " | ".join(heads) + " | MAE×255, noisy → pgd | SSIM, noisy → pgd | "
        "paper: Gaussian, attacked, attacked |",
        "|---|" + "---:|" * (len(names) + 3),
    ]
    for tag in (*ONE_LEVEL, "nt", "vat", "hat"):
        found = load(bench, tag)
        if found:
            ours = psnr(found["typical"])
            cells = " | ".join(f"{ours[name]:.2f}" for name in names)
            result, hit = read(found["typical"]), "denoising_pgd, towards noisy"
            mae, ssim = means(result, "mae"), means(result, "ssim")
            theirs = " / ".join(f"{v:.2f}" for v in TYPICAL.get(tag, ()))
            rows.append(
                f"| {tag} | {cells} | {255 * mae['noisy']:.2f} → {255 * mae[hit]:.2f} | "
                f"{ssim['noisy']:.3f} → {ssim[hit]:.3f} | {theirs} |"
            )
    return "\n".join(rows)


def attacked(bench: str, tag: str) -> dict[str, Any]:
    """What a model's card tells of attacks, with the control of the strongest single one."""
    found = load(bench, tag)
    if found is None:
        raise SystemExit(f"There are no figures of {bench} {tag}; leave --table out to measure.")
    part = found["stronger" if "stronger" in found else "typical"]
    result, settings = read(part), part["settings"]
    rows = [r for r in result.summary() if r["threat"] != "unattacked"]
    level = settings["sigma"] - (rows[0]["eps"] if settings["within_level"] else 0)
    return {
        "data": settings["data"],
        "first_images": settings["images"],
        "noise": f"{255 * level:g}/255",
        "psnr": {f"{r['threat']} {255 * r['eps']:g}/255": r["psnr"] for r in rows
                 if not r["control"]},
        "random_direction": means(result)["obsatk_auto / random direction"],
        "how": f"python benchmarks/defended_denoisers.py {bench} {tag}",
    }


def main() -> None:
    """Evaluate models, or print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", choices=DENOISERS)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--full", action="store_true", help="all images of every set")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--ship", action="store_true", help="put figures on the models' cards")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--runs", type=Path, default=Path("runs/denoisers"))
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    for tag in [] if options.table else options.models:
        name = DENOISERS[options.bench]
        run = options.runs / f"{options.bench}-compact-{tag}-0/{name}.safetensors"
        weights = tag if tag in shipped("denoisers", name) else str(run)
        model = (
            EstimatedBM3D() if tag == "bm3d" else rr.create_denoiser(name, weights=weights)
        )
        model = model.to(DEVICE, memory_format=torch.channels_last)
        found = {
            part: evaluate(model, options.bench, tag, options.full)
            for part, evaluate in parts(options.bench, tag).items()
        }
        path = RESULTS / f"defended-{options.bench}-{tag}.json"
        write_json(path, {**found, "environment": environment()})
    for tag in options.models if options.ship else []:
        weights = shipped("denoisers", DENOISERS[options.bench])[tag]
        card = {**model_card(weights), "attacked": attacked(options.bench, tag)}
        write_json(weights.with_suffix(".json"), card)
    print(tables(options.bench))


if __name__ == "__main__":
    say_what_is_missing()
    main()
