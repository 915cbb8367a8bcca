"""Train the denoisers whose weights the package ships: one budget, one seed, several defenses.

    python benchmarks/train_denoisers.py gray hat
    python benchmarks/train_denoisers.py gray nt vat hat ts_pres ts_def --ship
    python benchmarks/train_denoisers.py gray nt hat --full        # the papers' schedule: a GPU

Runs lie in ``runs/denoisers`` and go on where they were interrupted. ``--ship`` writes the finished
ones, in fp16 with their model cards, to the denoisers plugin.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from folders import say_what_is_missing
from robust_restoration_training import train_by_name

import robust_restoration as rr
from robust_restoration.environment import environment
from robust_restoration.models.weights import save_weights

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE.parent / "plugins/robust_restoration_denoisers/weights"
EPS = 25 / 255
BENCHES = {
    "gray": {"denoiser": "dncnn_b", "data": "train400", "test": "set12", "first": None},
    "colour": {
        "denoiser": "dncnn_c", "data": "cbsd432", "test": "cbsd68", "first": 12, "steps": 2000
    },
    # The typical-set paper's: with biases, which tie a network to the level that it is trained on.
    "one_level": {
        "denoiser": "dncnn", "data": "train400", "test": "set12", "first": None, "steps": 3000
    },
}
LEVELS = {"sigma": (0.0, EPS)}
DEFENSES = {
    "nt": ("standard", LEVELS),
    "vat": ("adversarial", LEVELS),
    "hat": ("hat", {**LEVELS, "alpha": 1.0}),
    # The typical-set paper's models know one level only, and so does the one they stand beside. The
    # shipped ones of these have 3,000 steps each (--steps 3000).
    "nt_25": ("standard", {"sigma": EPS}),
    "ts_pres": ("typical_set", {"sigma": EPS, "variant": "pres"}),
    "ts_def": ("typical_set", {"sigma": EPS, "variant": "def"}),
    "mixed_25.5": ("mixed_noise", {"levels": (EPS, 25.5 / 255)}),
    "mixed_26": ("mixed_noise", {"levels": (EPS, 26 / 255)}),
    # The denoising-PGD paper's adversarial training, section IV-F.
    "dpgd": ("adversarial", {"sigma": EPS, "attack": "denoising_pgd", "eps": 0.012, "mix": 0.5}),
    # The ObsAtk paper's Table 4, on real noise.
    "hat_real": ("hat", {**LEVELS, "alpha": 2.0}),
}
# The papers' schedules: of the bench, but for those of a paper of their own.
FULL = {"gray": "obsatk-gray", "colour": "obsatk-colour", "one_level": "typical-set"}
OF_ITS_OWN = {
    "nt_25": "typical-set",
    "dpgd": "typical-set",  # the denoising-PGD paper trains as DnCNN's authors do
    "ts_pres": "typical-set-sampling",
    "ts_def": "typical-set-sampling",
    "mixed_25.5": "typical-set-mixed",
    "mixed_26": "typical-set-mixed",
    "hat_real": "obsatk-real",
}


def measure(model: torch.nn.Module, bench: dict[str, Any]) -> dict[str, Any]:
    """Mean PSNR in dB on the test set, for the model card; seed 0, float32."""
    found = {
        f"sigma {level}/255": rr.evaluate(
            model, bench["test"], threats=[], sigma=level / 255, limit=bench["first"],
            checks=False, progress=False,
        ).mean()
        for level in (15, 25)
    }
    return {"test_set": bench["test"], "first_images": bench["first"], "seed": 0, **found}


def main() -> None:
    """Train, and ship what is finished."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("defenses", nargs="+", choices=DEFENSES)
    parser.add_argument("--full", action="store_true", help="the papers' network and schedule")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="instead of the schedule's")
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--runs", type=Path, default=Path("runs/denoisers"))
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    bench = BENCHES[options.bench]
    settings = {}
    if "steps" in bench and not options.full:
        settings["steps"] = bench["steps"]
    if options.steps:
        settings["steps"] = options.steps
    for tag in options.defenses:
        defense, defense_options = DEFENSES[tag]
        size = "full" if options.full else "compact"
        path = train_by_name(
            defense,
            bench["data"],
            options.runs / f"{options.bench}-{size}-{tag}-{options.seed}",
            denoiser=bench["denoiser"],
            recipe=OF_ITS_OWN.get(tag, FULL[options.bench]) if options.full else "compact",
            options=defense_options,
            seed=options.seed,
            validate_every=500,
            save_every=100,
            **settings,
        )
        print(f"Wrote {path}.")
        if options.ship:
            model = rr.create_denoiser(bench["denoiser"], weights=str(path))
            card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            card["environment"] = environment()
            card["psnr"] = measure(model, bench)
            to = WEIGHTS / f"{bench['denoiser']}.{tag}.safetensors"
            save_weights(model, to, kind="denoisers", name=bench["denoiser"], card=card, half=True)
            print(f"Shipped {to}.")


if __name__ == "__main__":
    say_what_is_missing()
    main()
