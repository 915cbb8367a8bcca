"""What a purifier does to one image, and what a classifier then says of it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Inside, Purifier, frozen
from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path
from robust_restoration.images.checks import check_images
from robust_restoration.models.chain import Chain
from robust_restoration.models.classifiers import (
    NormalizedClassifier,
    answers,
    check_classifier,
    pretrained_cfg,
    with_unit_range,
)
from robust_restoration.models.origin import origin_of
from robust_restoration.models.purify import find_purifier
from robust_restoration.numbers import check_count

Pixel = tuple[int, int]
Said = tuple[tuple[str, float], ...]
IMAGENET = 1000  # classes


@dataclass(frozen=True)
class Explanation:
    """One image, what a purifier made of it, and what that decided by.

    It prints what the classifier says before and after, shows itself as a picture in a notebook,
    and is written by `save`.

    Attributes:
        image: (C, H, W) in [0, 1].
        purified: (C, H, W) in [0, 1].
        name: What the purifier is called.
        maps: (h, w) by name, such as uncertainty maps; of other sizes than the image's.
        kernels: (P, C, K, K) by name, those that `pixels` are filtered with.
        pixels: (row, column) of each.
        before: The classifier's most likely classes with their probabilities.
        after: The same of the purified image.
    """

    image: Tensor
    purified: Tensor
    name: str
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    kernels: Mapping[str, Tensor] = field(default_factory=dict)
    pixels: Sequence[Pixel] = ()
    before: Sequence[tuple[str, float]] = ()
    after: Sequence[tuple[str, float]] = ()

    @property
    def change(self) -> Tensor:
        """(C, H, W), purified less image."""
        return self.purified - self.image

    def __str__(self) -> str:
        size = 255 * self.change.abs()
        largest, mean = float(size.max()), float(size.mean())
        lines = [f"{self.name}: changes values by up to {largest:.1f}/255, {mean:.2f} on average"]
        for when, said in (("before", self.before), ("after", self.after)):
            if said:
                words = ", ".join(f"{name} {share:.1%}" for name, share in said)
                lines.append(f"{when}: {words}")
        return "\n".join(lines)

    def save(self, path: Path | str) -> None:
        """Write the picture; the file's ending decides on the format, such as PNG, PDF or SVG.

        Raises:
            InputError: If it cannot be written in such a format.
        """
        from .picture import draw

        path = Path(path)
        figure = draw(self)
        if path.suffix.removeprefix(".").lower() not in figure.canvas.get_supported_filetypes():
            raise InputError(f"{path} has an ending that no picture has; expected such as .png.")
        with atomic_path(path) as temporary:
            figure.savefig(temporary)

    def _repr_png_(self) -> bytes:
        from .picture import draw

        kept = io.BytesIO()
        draw(self).savefig(kept, format="png")
        return kept.getvalue()


def explain(
    classifier: nn.Module | None,
    x: Tensor,
    *,
    purifier: str | nn.Module | None = None,
    weights: str | None = None,
    pixels: Sequence[Pixel] | None = None,
    names: Sequence[str] | None = None,
    top: int = 5,
) -> Explanation:
    """Show what a purifier does to one image, and why the classifier then says something else.

    Args:
        classifier: The classifier; ``None`` shows the purifier for any alone.
        x: (C, H, W) or (1, C, H, W) in [0, 1].
        purifier: As `purify` takes it.
        weights: As `purify` takes it.
        pixels: (row, column) of the pixels whose kernels are shown, where the purifier has kernels;
            the middles of the image's quarters by default.
        names: The classes' names; those of ImageNet for a classifier of 1000 that tells none.
        top: How many classes are named.

    Returns:
        An object that prints what the classifier says before and after, is a picture in a notebook,
        and writes it by ``save(path)``: input, purified, signed difference with its factor, what
        the purifier decides by, and kernels. Its parts are attributes.

    Raises:
        InputError: As `purify`; or if there are several images, or a pixel lies outside.

    Example:
        >>> explain(classifier, x[0]).save("explained.png")
    """
    check_count("top", top)
    image = _one(x)
    if classifier is None:
        check_images(image, "x")
    else:
        check_classifier(classifier, image)
        check_images(image, "x", fix="expected an image that is not normalised")
    made = find_purifier(classifier, purifier, weights=weights)
    made = made.to(image.device)
    parameter = next(made.parameters(), image)
    given = image.to(parameter.dtype)
    with torch.no_grad(), frozen(made):
        purified = made(given)
        height, width = image.shape[-2:]
        asked = _usual(height, width) if pixels is None else _checked(pixels, height, width)
        inside = _inside(made, given, asked)
    # Without a classifier nothing is said of the image.
    before: Said = ()
    after: Said = ()
    if classifier is not None:
        before = _said(classifier, image, names, top)
        after = _said(classifier, purified.to(image.dtype), names, top)
    return Explanation(
        image=image[0].float().cpu(),
        purified=purified[0].float().cpu(),
        name=_called(made),
        maps={name: found[0, 0].float().cpu() for name, found in inside.maps.items()},
        kernels={name: found[0].float().cpu() for name, found in inside.kernels.items()},
        pixels=tuple(asked) if inside.kernels else (),
        before=before,
        after=after,
    )


def _called(purifier: nn.Module) -> str:
    origin = origin_of(purifier)
    if origin is None and isinstance(purifier, Chain):
        return "+".join(map(_called, purifier.members))
    return type(purifier).__name__ if origin is None else origin.name.rsplit("/", 1)[-1]


def _one(x: Tensor) -> Tensor:
    """The image as (1, C, H, W)."""
    if isinstance(x, Tensor) and x.ndim == 3:
        return x[None]
    if isinstance(x, Tensor) and x.ndim == 4 and len(x) != 1:
        raise InputError(f"x holds {len(x)} images; expected one to explain, such as x[0].")
    return x


def _usual(height: int, width: int) -> list[Pixel]:
    """The middles of the image's quarters, from the left to the right and downwards."""
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return [(row, column) for row in rows for column in columns]


def _checked(pixels: Sequence[Pixel], height: int, width: int) -> list[Pixel]:
    found = []
    for pixel in pixels:
        try:
            row, column = (int(number) for number in pixel)
        except (TypeError, ValueError):
            raise InputError(f"A pixel is {pixel!r}; expected (row, column).") from None
        if not (0 <= row < height and 0 <= column < width):
            raise InputError(
                f"The pixel (row {row}, column {column}) lies outside the image of {height} rows "
                f"and {width} columns."
            )
        found.append((row, column))
    return found


def _inside(purifier: nn.Module, images: Tensor, pixels: Sequence[Pixel]) -> Inside:
    """What a purifier tells of itself; of a chain, the first member that tells anything."""
    if isinstance(purifier, Chain):
        for member in purifier.members:
            found = _inside(member, images, pixels)
            if found.maps or found.kernels:
                return found
            images = member(images)
    return purifier.inside(images, pixels) if isinstance(purifier, Purifier) else Inside()


def _said(
    classifier: nn.Module, image: Tensor, names: Sequence[str] | None, top: int
) -> Said:
    """The most likely classes of an image (1, C, H, W), and their probabilities."""
    ready = with_unit_range(classifier)
    parameter = next(ready.parameters(), image)
    logits = answers(ready, image.to(parameter.dtype))
    shares, classes = logits[0].float().softmax(0).sort(descending=True)
    called = _names(classifier, names, len(shares))
    return tuple(
        (called[int(number)], float(share))
        for number, share in zip(classes[:top], shares[:top], strict=True)
    )


def _names(classifier: nn.Module, names: Sequence[str] | None, count: int) -> Sequence[str]:
    if names is not None:
        if len(names) != count:
            raise InputError(f"names has {len(names)} names for {count} classes.")
        return list(map(str, names))
    inner = classifier.classifier if isinstance(classifier, NormalizedClassifier) else classifier
    told = pretrained_cfg(inner).get("label_names")
    if told and len(told) == count:
        return list(map(str, told))
    if count == IMAGENET:
        from timm.data import ImageNetInfo

        known = ImageNetInfo()
        return [known.index_to_description(number).split(",")[0] for number in range(count)]
    return [f"class {number}" for number in range(count)]
