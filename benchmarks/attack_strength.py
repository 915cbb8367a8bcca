"""How strong obsatk_auto is, against many plain steps of ObsAtk with restarts.

    python benchmarks/attack_strength.py [--side 48] [--images 5]

On squares of Set12 with noise of 20/255 and a budget of 5/255, against a published blind DnCNN. The
plain attack takes 100 steps of 0.1 or 0.3 eps from the noisy image and from two random starts; the
worst of its results counts, image by image.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from folders import say_what_is_missing
from published_attacks import ROOT, WEIGHTS, load_published
from robust_restoration_attacks.obsatk import ObsAtk
from robust_restoration_attacks.projections import lengths
from timing import write
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.contracts import frozen

EPS, SIGMA, STEPS, RESTARTS = 5 / 255, 20 / 255, 100, 3


def plain(model: nn.Module, noisy: Tensor, clean: Tensor, share: float, seed: int) -> Tensor:
    """100 plain steps from a start: 0 is the noisy image, others are random."""
    attack = ObsAtk(model, eps=EPS)
    delta = torch.zeros_like(noisy)
    if seed:
        noise = torch.randn(noisy.shape, generator=torch.Generator().manual_seed(seed))
        delta = attack.within(EPS * noise, noisy)
    step = (share * attack.radius(noisy)).view(-1, 1, 1, 1)
    with frozen(model):
        for _ in range(STEPS):
            _, gradient = attack.gradient(noisy + delta, clean)
            delta = attack.within(delta + step * gradient / lengths(gradient), noisy)
    return attack.add(noisy, delta)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=48)
    parser.add_argument("--images", type=int, default=5)
    given = parser.parse_args()
    model = load_published(WEIGHTS, "dncnn_blind_gray_sigma0-30")
    images = rr.load_images("set12", root=ROOT, limit=given.images)
    top = slice(100, 100 + given.side)
    clean = torch.stack([images.image(i)[:, top, 90 : 90 + given.side] for i in range(len(images))])
    noisy, _ = rr.Gaussian(SIGMA)(clean, seed=0)

    def quality(attacked: Tensor) -> Tensor:
        with torch.no_grad():
            return rr.psnr(model(attacked), clean)

    rows: dict[str, Any] = {"noisy": (quality(noisy).tolist(), 0)}
    worst = torch.full((len(clean),), torch.inf)
    for share in (0.1, 0.3):
        found = torch.full((len(clean),), torch.inf)
        for seed in range(RESTARTS):
            found = torch.minimum(found, quality(plain(model, noisy, clean, share, seed)))
        rows[f"obsatk, {STEPS} steps of {share} eps, {RESTARTS} starts"] = (
            found.tolist(), STEPS * RESTARTS
        )
        worst = torch.minimum(worst, found)
    rows["both step sizes"] = (worst.tolist(), 2 * STEPS * RESTARTS)
    for name, options, calls in (
        ("obsatk", {}, 5),
        ("obsatk_auto", {}, 50),
        ("obsatk_auto", {"steps": 25}, 25),
        ("obsatk_auto", {"restarts": 2, "seed": 0}, 100),
        ("obsatk", {"autocast": "bf16"}, 5),
        ("obsatk_auto", {"autocast": "bf16"}, 50),
    ):
        label = name + "".join(f" {k}={v}" for k, v in options.items())
        attacked = rr.create_attack(name, model, eps=EPS, **options)(noisy, clean)
        rows[label] = (quality(attacked).tolist(), calls)
    for label, (values, calls) in rows.items():
        print(f"{label:40s} {sum(values) / len(values):.3f} dB, {calls} gradient calls")
    print(f"Wrote {write('attack_strength', {'rows': rows, 'arguments': vars(given)})}.")


if __name__ == "__main__":
    say_what_is_missing()
    main()
