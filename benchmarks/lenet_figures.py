"""The report on Noise2Noise and DAG, figures 6 to 14, 35, 36: an MNIST classifier under attack.

    python benchmarks/lenet_figures.py
    python benchmarks/lenet_figures.py --table

Accuracy against the share of pixels that noise replaces (figure 7), and under FGSM and the One
Pixel attack (figure 12), of the LeNet-5 in ``../shared/weights``; the report's own classifier, of
two convolutions of 3 and 5 filters, is not published. Writes ``results/lenet_figures.json``,
``docs/lenet_curves.png`` and ``docs/lenet_feature_maps.png``: for one digit that noise or FGSM
turns into another, its feature maps beside those of the training images that are nearest to it in
both classes by the second layer's (figures 9, 10, 13, 14, 35 and 36), and the filters (figure 6).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from classifiers import lenet5_mnist_clean
from folders import say_what_is_missing
from published_attacks import RESULTS, ROOT
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.environment import environment
from robust_restoration.files import atomic_path, write_json

DOCS = Path(__file__).resolve().parents[1] / "docs"
FILE = RESULTS / "lenet_figures.json"
SHARES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
EPS = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
PIXELS = [0, 1, 5, 10, 20, 40]
NOISES = {"Gaussian": "replacement_gaussian", "salt and pepper": "salt_and_pepper"}
SHOWN = (3, 6)  # feature maps a layer: those that differ most among the four images
KNOWN = 1000  # training images among which the nearest are looked for
UNTIL = 500  # test images among which an example is looked for


def predictions(model: nn.Module, images: Tensor) -> Tensor:
    """The most likely class of each image."""
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in images.split(500)])


def noisy(name: str, share: float, images: Tensor) -> Tensor:
    """Images with a share of their pixels replaced, clamped as in the report."""
    return rr.create_noise(name, share=share, clip=(0.0, 1.0))(images, seed=0)[0]


def fgsm(model: nn.Module, eps: float, images: Tensor, labels: Tensor) -> Tensor:
    """One step of the gradient's sign."""
    return rr.create_attack("torchattacks/fgsm", model, eps=eps)(images, labels)


def one_pixel(model: nn.Module, pixels: int, images: Tensor, labels: Tensor) -> Tensor:
    """Differential evolution of so many pixels, with torchattacks' ten steps of ten candidates."""
    attack = rr.create_attack("torchattacks/onepixel", model, pixels=pixels)
    return torch.cat([attack(images[i : i + 1], labels[i : i + 1], index=i)
                      for i in range(len(images))])


def curves(given: argparse.Namespace, model: nn.Module, images: Tensor, labels: Tensor) -> Any:
    """Accuracies, from 0 to 1."""

    def accuracy(changed: Tensor) -> float:
        return float((predictions(model, changed) == labels[: len(changed)]).float().mean())

    few, marks = images[: given.one_pixel], labels[: given.one_pixel]
    found = {
        kind: [accuracy(noisy(name, share, images)) for share in SHARES]
        for kind, name in NOISES.items()
    }
    found["FGSM"] = [accuracy(fgsm(model, e, images, labels) if e else images) for e in EPS]
    found["One Pixel"] = [
        accuracy(one_pixel(model, count, few, marks) if count else few) for count in PIXELS
    ]
    return found


def draw_curves(content: dict[str, Any]) -> None:
    """Figures 7 and 12."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 2.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, sharey=True)
    for kind in NOISES:
        axes[0].plot(SHARES, content["accuracy"][kind], marker=".", label=kind)
    axes[0].legend(fontsize=8)
    axes[1].plot(EPS, content["accuracy"]["FGSM"], marker=".")
    axes[2].plot(PIXELS, content["accuracy"]["One Pixel"], marker=".")
    for place, title in zip(axes, (
        f"share of pixels replaced, {content['images']} images",
        f"eps of FGSM, {content['images']} images",
        f"pixels of One Pixel, {content['one_pixel']} images",
    ), strict=True):
        place.set_xlabel(title, fontsize=9)
        place.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy")
    _save(figure, "lenet_curves.png")


def first_layer(model: nn.Module, images: Tensor) -> Tensor:
    """Feature maps after the first convolution, before activation and pooling."""
    with torch.no_grad():
        maps: Tensor = model.conv1(images)
    return maps


def second_layer(model: nn.Module, images: Tensor) -> Tensor:
    """Feature maps after the second convolution, before activation and pooling."""
    with torch.no_grad():
        return torch.cat([
            model.conv2(F.max_pool2d(F.relu(model.conv1(part)), 2)) for part in images.split(500)
        ])


def draw_maps(model: Any, images: Tensor, labels: Tensor, train: Tensor, classes: Tensor) -> None:
    """Figures 6, 8 to 10, 13, 14, 35 and 36."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    images, labels = images[:UNTIL], labels[:UNTIL]
    right = predictions(model, images) == labels
    changed = {
        **{f"{kind}, 10 %": noisy(name, 0.1, images) for kind, name in NOISES.items()},
        "FGSM, 0.1": fgsm(model, 0.1, images, labels),
    }
    figure = Figure(figsize=(9.6, 2 + 3.9 * len(changed)), layout="constrained")
    FigureCanvasAgg(figure)
    top, *parts = figure.subfigures(len(changed) + 1, 1, height_ratios=[2] + [3.9] * len(changed))
    top.suptitle("the filters of the first layer", fontsize=9)
    _show(top.subplots(2, 16).flat, model.conv1.weight.detach()[:, 0])
    known = second_layer(model, train)
    for part, (what, attacked) in zip(parts, changed.items(), strict=True):
        found = predictions(model, attacked)
        number = int((right & (found != labels)).nonzero()[0])
        was, became = int(labels[number]), int(found[number])
        own = second_layer(model, torch.stack([images[number], attacked[number]]))
        nearest = [_nearest(own[k], known, classes == c) for k, c in ((0, was), (1, became))]
        pictures = torch.stack(
            [train[nearest[0]], images[number], attacked[number], train[nearest[1]]]
        )
        titles = [f"training, {was}", f"clean, {was}", f"{what}: {became}", f"training, {became}"]
        places = part.subplots(4, 1 + sum(SHOWN))
        for row in range(4):
            _show(places[row, :1], pictures[row])
            places[row, 0].set_title(titles[row], fontsize=8, loc="left")
        begin = 1
        for layer, count in zip((first_layer, second_layer), SHOWN, strict=True):
            maps = layer(model, pictures)
            chosen = maps.var(0).mean((1, 2)).topk(count).indices
            for row in range(4):
                _show(places[row, begin : begin + count], maps[row, chosen])
            title = layer.__name__.replace("_", " ")
            places[0, begin].set_title(title, fontsize=8, loc="left")
            begin += count
    _save(figure, "lenet_feature_maps.png")


def _nearest(maps: Tensor, known: Tensor, allowed: Tensor) -> int:
    distances = (known - maps).flatten(1).norm(dim=1)
    return int(distances.masked_fill(~allowed, torch.inf).argmin())


def _show(places: Any, pictures: Tensor) -> None:
    """Gray pictures on one scale."""
    low, high = float(pictures.min()), float(pictures.max())
    for place, picture in zip(places, pictures, strict=True):
        place.imshow(picture, cmap="gray", vmin=low, vmax=high)
        place.set_axis_off()


def _save(figure: Any, name: str) -> None:
    with atomic_path(DOCS / name) as temporary:
        figure.savefig(temporary, dpi=110)


def table(content: dict[str, Any]) -> str:
    """Markdown."""
    lines = []
    for xs, kinds, what in (
        (SHARES, tuple(NOISES), f"share replaced, {content['images']} images"),
        (EPS, ("FGSM",), f"eps, {content['images']} images"),
        (PIXELS, ("One Pixel",), f"pixels, {content['one_pixel']} images"),
    ):
        lines += [f"| {what} | " + " | ".join(f"{x:g}" for x in xs) + " |"]
        lines += ["|---|" + "---:|" * len(xs)]
        for kind in kinds:
            cells = " | ".join(f"{100 * a:.1f}" for a in content["accuracy"][kind])
            lines.append(f"| {kind} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure and draw, or print what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--one-pixel", type=int, default=200, help="images under One Pixel")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    given = parser.parse_args()
    if not given.table:
        model = lenet5_mnist_clean().requires_grad_(False)
        found = rr.load_labelled("mnist:test", channels=1, limit=given.images, root=ROOT)
        known = rr.load_labelled("mnist:train", channels=1, limit=KNOWN, root=ROOT)
        images, labels = found.pixels(slice(None)), found.labels
        content = {
            "images": len(images), "one_pixel": min(given.one_pixel, len(images)), "seed": 0,
            "accuracy": curves(given, model, images, labels),
        }
        write_json(FILE, {**content, "environment": environment()})
        draw_curves(content)
        draw_maps(model, images, labels, known.pixels(slice(None)), known.labels)
    print(table(json.loads(FILE.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    say_what_is_missing()
    main()
