"""The leaderboard's seed: gray denoisers, and purifiers of CIFAR-10, each under one small protocol.

    python benchmarks/leaderboard.py -o results/leaderboard --limit 3 --purified 200
    robust-restoration leaderboard build results/leaderboard -o site

Each denoiser is measured into a file of its own, so that a stopped run goes on, and that others'
files can stand beside; the purifiers stand in one, before one classifier. Published weights are
read from ``../shared/weights``; from the repository's root their rows are measured again as
``benchmarks.leaderboard:NAME``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from torch import nn

import robust_restoration as rr
from robust_restoration.models.classifiers import load_classifier
from robust_restoration.models.create import load_denoiser

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared"
WEIGHTS = Path(os.environ.get("ROBUST_RESTORATION_WEIGHTS") or SHARED / "weights")
ROOT = Path(os.environ.get("ROBUST_RESTORATION_DATA") or SHARED / "data")
sys.path.insert(0, str(HERE.parent / "tests/denoisers"))

SIGMA, EPS = 25 / 255, 5 / 255
SHIPPED = [f"dncnn_b={tag}" for tag in ("nt", "vat", "hat", "nt_25", "ts_def", "ts_pres")]
PUBLISHED = (
    "dncnn_gray_sigma25", "dncnn_blind_gray_sigma0-30", "dncnn_blind_gray_sigma0-55",
    "ffdnet_gray", "ecndnet_gray_sigma25", "adnet_gray_sigma25", "rddcnn_gray_sigma25",
)


PURIFIERS = (
    "advfilter=general-32", "resunet=resnet20_cifar10", "jpeg", "median", "gaussian_blur",
    "bit_depth", "total_variation",
)
CLASSIFIER = "benchmarks.classifiers:resnet20_cifar10"


def __getattr__(name: str) -> Callable[[], nn.Module]:
    """A function for each published file, so that ``benchmarks.leaderboard:NAME`` loads it."""
    if name not in PUBLISHED:
        raise AttributeError(name)
    from published import load_published

    return lambda: load_published(WEIGHTS, name)


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("results/leaderboard"))
    parser.add_argument("--limit", type=int, default=3, help="images of Set12")
    parser.add_argument("--steps", type=int, default=10, help="of the strongest attack")
    parser.add_argument("--purified", type=int, default=200, help="images of CIFAR-10; 0: none")
    parser.add_argument("--only", nargs="*", help="names, such as dncnn_b=hat or ffdnet_gray")
    given = parser.parse_args()
    sys.path.insert(0, str(HERE.parent))
    words = [*SHIPPED, *(f"benchmarks.leaderboard:{name}" for name in PUBLISHED)]
    for word in words:
        short = word.rpartition(":")[2]
        if given.only and short not in given.only:
            continue
        given.out.mkdir(parents=True, exist_ok=True)
        result = rr.evaluate(
            load_denoiser(word), "set12", name=word,
            threats=["obsatk steps=5", f"obsatk_auto steps={given.steps}"], sigma=SIGMA, eps=EPS,
            limit=given.limit, root=ROOT, seed=0, checks=False,
            state=given.out / f"{short}.json",
        )
        print(result)
    if given.purified:
        threats = [f"{word} steps={given.steps}" for word in ("gray-box", "white-box")]
        result = rr.evaluate(
            load_classifier(CLASSIFIER), ROOT / "cifar10_subset/test.npz", purifiers=PURIFIERS,
            threats=threats, eps=2.55 / 255, limit=given.purified, seed=0, checks=False,
            state=given.out / "purifiers_cifar10.json", name=CLASSIFIER,
        )
        print(result)


if __name__ == "__main__":
    main()
