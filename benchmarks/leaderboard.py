"""The leaderboard's seed: every denoiser and purifier that is shipped or published, measured alike.

    python benchmarks/leaderboard.py
    robust-restoration leaderboard build benchmarks/results/leaderboard -o site

Small protocols, which each row states: squares of 64 pixels out of the middle of Set12 and CBSD68,
images of CIFAR-10, and photographs of NeurIPS-2017 DEV. One file a row of denoisers and a file a
classifier with its purifiers, so that a stopped run goes on and others' files can stand beside.
The squares are cut into ``--images``, which is what ``leaderboard verify FILE --data`` takes.
Published weights are read from ``../shared/weights``; from the repository's root their rows are
measured again as ``benchmarks.leaderboard:NAME``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from folders import say_what_is_missing
from torch import nn

import robust_restoration as rr
from robust_restoration import verbs

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared"
WEIGHTS = Path(os.environ.get("ROBUST_RESTORATION_WEIGHTS") or SHARED / "weights")
ROOT = Path(os.environ.get("ROBUST_RESTORATION_DATA") or SHARED / "data")
sys.path.insert(0, str(HERE.parent / "tests/denoisers"))

SIDE = 64  # of the squares that are cut out of larger images
EPS = 5 / 255
CIFAR_UNETS = {
    "n2n_unet_cifar_gaussian50": "gaussian:50/255",
    "n2n_unet_cifar_poisson100": "poisson:100,clip=released",
    "n2n_unet_cifar_impulse02": "impulse:0..50/255,0.2,clip=released",
}


@dataclass
class Denoisers:
    """Denoisers that are measured alike.

    Attributes:
        shipped: Words as ``--denoiser`` takes them.
        published: Names of files of published weights.
        data: A set's name.
        cut: The folder that its squares are cut into; none where its images are taken whole.
        images: How many.
        options: Of ``evaluate``: the noise.
    """

    shipped: tuple[str, ...]
    published: tuple[str, ...]
    data: str
    cut: str
    images: int
    options: dict[str, Any] = field(default_factory=dict)

    def words(self) -> list[str]:
        """What loads each."""
        return [*self.shipped, *(f"benchmarks.leaderboard:{name}" for name in self.published)]


AT_25 = {"sigma": 25 / 255}
DENOISERS = {
    "gray": Denoisers(
        (*(f"dncnn_b={tag}" for tag in ("nt", "vat", "hat", "nt_25", "ts_def", "ts_pres")),
         "total_variation", "perona_malik"),
        ("dncnn_gray_sigma25", "dncnn_blind_gray_sigma0-30", "dncnn_blind_gray_sigma0-55",
         "ffdnet_gray", "ecndnet_gray_sigma25", "adnet_gray_sigma25", "rddcnn_gray_sigma25"),
        "set12", "set12-64", 4, AT_25,
    ),
    "colour": Denoisers(
        tuple(f"dncnn_c={tag}" for tag in ("nt", "vat", "hat")),
        ("dncnn_blind_color_sigma0-55", "ffdnet_color", "adnet_color_sigma25",
         "n2n_unet_color_gaussian", "n2n_unet_color_gaussian-clean"),
        "cbsd68", "cbsd68-64", 4, AT_25,
    ),
    "cifar-gaussian": Denoisers(
        ("resunet_denoiser=cifar10-sigma025", "dncnn_c=nt"),
        ("n2n_unet_cifar_gaussian50", "dncnn_blind_color_sigma0-55", "ffdnet_color"),
        "cifar10:test", "", 8, {"sigma": 50 / 255},
    ),
    "cifar-poisson": Denoisers(
        (), ("n2n_unet_cifar_poisson100",), "cifar10:test", "", 8,
        {"sigma": None, "noise": CIFAR_UNETS["n2n_unet_cifar_poisson100"]},
    ),
    "cifar-impulse": Denoisers(
        (), ("n2n_unet_cifar_impulse02",), "cifar10:test", "", 8,
        {"sigma": None, "noise": CIFAR_UNETS["n2n_unet_cifar_impulse02"]},
    ),
}
PLAIN = ("jpeg", "median", "gaussian_blur", "bit_depth", "total_variation")


@dataclass
class Purifiers:
    """Purifiers before one classifier.

    Attributes:
        classifier: A function of ``benchmarks/classifiers.py``.
        shipped: Trained purifiers, beside the plain ones.
        data: Labelled images below the data root.
        images: How many.
        eps: Budget of the attacks.
        white_box: The threat through the whole.
        size: Side of the images.
    """

    classifier: str
    shipped: tuple[str, ...]
    data: str
    images: int
    eps: float
    white_box: str
    size: int | None = None


PURIFIERS = {
    "purifiers-cifar10": Purifiers(
        "resnet20_cifar10", ("advfilter=general-32", "resunet=resnet20_cifar10"),
        "cifar10_subset/test.npz", 32, 2.55 / 255, "white-box-quick steps=10",
    ),
    "purifiers-photographs": Purifiers(
        "mobilenetv1_075", ("advfilter=general",), "neurips2017_dev_110", 8, 0.003,
        "white-box-quick steps=10", 224,
    ),
}


def __getattr__(name: str) -> Callable[[], nn.Module]:
    """A function for each published file, so that ``benchmarks.leaderboard:NAME`` loads it."""
    if name in CIFAR_UNETS:
        return lambda: cifar_unet(name)
    if all(name not in board.published for board in DENOISERS.values()):
        raise AttributeError(name)
    from published import load_published

    return lambda: load_published(WEIGHTS, name)


def cifar_unet(name: str) -> nn.Module:
    """A Noise2Noise U-Net that its authors trained on CIFAR-10."""
    from published import noise2noise
    from robust_restoration_denoisers.n2n_unet import N2NUNet
    from safetensors.torch import load_file

    model = N2NUNet()
    state = load_file(WEIGHTS / f"{name}.safetensors")
    model.load_state_dict({noise2noise(key): tensor for key, tensor in state.items()})
    return model.eval()


def squares(board: Denoisers, folder: Path) -> Path:
    """Squares out of the middle of the first images of a set, as files."""
    images = rr.load_images(board.data, root=ROOT, limit=board.images)
    for number, name in enumerate(images.names):
        image = images.image(number)
        top, left = ((side - SIDE) // 2 for side in image.shape[-2:])
        rr.write_image(
            image[:, top : top + SIDE, left : left + SIDE], folder / board.cut / f"{name}.png"
        )
    return folder / board.cut


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=HERE / "results/leaderboard")
    parser.add_argument("--images", type=Path, default=Path("results/leaderboard_images"))
    parser.add_argument("--only", nargs="*", help="boards, such as gray; none: cut the squares")
    given = parser.parse_args()
    sys.path.insert(0, str(HERE.parent))
    given.out.mkdir(parents=True, exist_ok=True)
    for name, board in DENOISERS.items():
        data = squares(board, given.images) if board.cut else board.data
        if given.only is not None and name not in given.only:
            continue
        for word in board.words():
            start = time.perf_counter()
            short = word.rpartition(":")[2]
            result = rr.evaluate(
                verbs.load_denoiser(word), data, name=word, root=ROOT, limit=board.images,
                threats=["obsatk steps=5", "obsatk_auto steps=10"], eps=EPS, seed=0, checks=False,
                progress=False, state=given.out / f"{name}-{short}.json", **board.options,
            )
            seconds = time.perf_counter() - start
            print(f"{name}, {word}, {seconds:.0f} s\n{result}", flush=True)
    for name, row in PURIFIERS.items():
        if given.only is not None and name not in given.only:
            continue
        word, start = f"benchmarks.classifiers:{row.classifier}", time.perf_counter()
        result = rr.evaluate(
            rr.load_classifier(word), ROOT / row.data, purifiers=[*row.shipped, *PLAIN],
            size=row.size, threats=["gray-box steps=10", row.white_box], eps=row.eps,
            limit=row.images, seed=0,
            checks=False, progress=False, state=given.out / f"{name}.json", name=word,
        )
        print(f"{name}, {time.perf_counter() - start:.0f} s\n{result}", flush=True)


if __name__ == "__main__":
    say_what_is_missing()
    main()
