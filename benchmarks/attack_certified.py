"""Attacks on every certified image of a result of ``robust-restoration certify``, at its radius.

``python benchmarks/attack_certified.py benchmarks/results/certify-cifar10-resnet20-sigma025.json``
reads predictions and radii, attacks each image that has a radius by L2 PGD on the mean probability
over noisy copies (the SmoothAdv attack, Salman et al., arXiv:1906.04584), from the image and from
a random start, with all of the radius, and asks the smoothed classifier about what comes of it.
Within the radius the certified class has a probability of at least 1/2. A certificate is
contradicted where the class comes so seldom that this has a probability below `UNLIKELY`. Beside
it, at each eighth image, the same with five times the radius: an attack that fails there too would
say nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from classifiers import resnet20_cifar10
from folders import DATA, say_what_is_missing
from scipy.stats import binom
from torch import Tensor

import robust_restoration as rr
from robust_restoration.contracts import frozen
from robust_restoration.data import load_labelled
from robust_restoration.environment import environment
from robust_restoration.evaluation.result.intervals import share
from robust_restoration.evaluation.whitebox import log_mean_probability
from robust_restoration.files import write_json
from robust_restoration.models.precision import autocast

UNLIKELY = 1e-3 / 1000  # for an image; about one set of a thousand images in a thousand
STARTS, BEYOND, EVERY = 2, 5.0, 8


def attacked(smoothed: Any, image: Tensor, label: int, radius: float, asked: dict[str, int],
             generator: torch.Generator) -> Tensor:
    """(STARTS, C, H, W) images within the radius, and within [0, 1]."""
    starts = torch.randn(STARTS, *image.shape, generator=generator)
    starts[0] = 0
    found = _within(image, starts, radius)
    for _ in range(asked["steps"]):
        leaf = found.clone().requires_grad_()
        noise = torch.randn(asked["copies"], STARTS, *image.shape, generator=generator)
        noisy = leaf + smoothed.sigma * noise
        with autocast(image, smoothed.precision):
            logits = smoothed.base(noisy.flatten(0, 1)).float()
        said = log_mean_probability(logits.view(asked["copies"], STARTS, -1))
        (slope,) = torch.autograd.grad(said[:, label].sum(), leaf)
        length = slope.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
        step = 2.5 * radius / asked["steps"]
        found = _within(image, found - image - step * slope / length, radius)
    return found


def _within(image: Tensor, change: Tensor, radius: float) -> Tensor:
    length = change.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    change = change * (0.9999 * radius / length).clamp(max=1)
    return (image + change).clamp(0, 1)  # which is nearer to the image


def main(path: Path, root: Path, asked: dict[str, int]) -> None:
    """Attack, count, and write ``NAME-attacked.json`` beside the result."""
    certified = json.loads(path.read_text())
    told = certified["settings"]
    smoothed = rr.create_certifier(
        resnet20_cifar10(), sigma=told["sigma"], denoiser=told["denoiser"],
        precision=told["autocast"], seed=told["seed"] + 1,
    )
    data = load_labelled(told["data"], root=root)
    if data.fingerprint() != told["data_hash"]:
        raise SystemExit(f"{told['data']} are not the images that were certified.")
    out = path.with_name(path.stem + "-attacked.json")
    rows = [r for r in certified["records"] if r["radius"] > 0]
    result: dict[str, Any] = {
        "certificates": path.name, "asked": asked, "certified": len(rows),
        "environment": environment(), "records": [],
    }
    if out.is_file() and json.loads(out.read_text())["asked"] == asked:
        result["records"] = json.loads(out.read_text())["records"]
    for place, row in list(enumerate(rows))[len(result["records"]) :]:
        image = data.pixels(slice(row["image"], row["image"] + 1))[0]
        record: dict[str, Any] = {"image": row["image"], "radius": row["radius"]}
        radii = {"within": 1.0, **({} if place % EVERY else {"beyond": BEYOND})}
        for name, factor in radii.items():
            draw = torch.Generator().manual_seed(row["image"])
            with frozen(smoothed):
                made = attacked(
                    smoothed, image, row["prediction"], factor * row["radius"], asked, draw
                )
            votes = [
                int(smoothed.counts(one, asked["votes"], row["image"])[row["prediction"]])
                for one in made
            ]
            sizes = (made - image).flatten(1).norm(dim=1)
            record[name] = {"votes": votes, "size": round(float(sizes.max()), 4)}
        result["records"].append(record)
        write_json(out, _counted(result))
    print(json.dumps({k: v for k, v in _counted(result).items() if k != "records"}, indent=1))


def _counted(result: dict[str, Any]) -> dict[str, Any]:
    records, votes = result["records"], result["asked"]["votes"]
    least = {
        name: [min(record[name]["votes"]) for record in records if name in record]
        for name in ("within", "beyond")
    }
    result["attacked"] = len(records)
    for name, counts in least.items():
        against = sum(float(binom.cdf(k, votes, 0.5)) < UNLIKELY for k in counts)
        result[name] = {
            "images": len(counts),
            "contradicted": against,
            "interval": [round(x, 4) for x in share(against, len(counts))[1:]],
            "fewest_votes": min(counts),
            "votes_below_half": sum(2 * k < votes for k in counts),
        }
    return result


if __name__ == "__main__":
    say_what_is_missing()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--copies", type=int, default=4, help="noisy copies in each step")
    parser.add_argument("--votes", type=int, default=100, help="noisy copies afterwards")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    main(given.result, given.data, {n: getattr(given, n) for n in ("steps", "copies", "votes")})
