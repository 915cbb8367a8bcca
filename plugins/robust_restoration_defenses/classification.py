"""Batches of labelled images for training classifiers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch, TrainingSet, frozen
from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.images.metrics import accuracy
from robust_restoration.models.classifiers import input_channels


class LabelledBatches:
    """Labelled images as a training set, shifted and mirrored.

    A batch holds ``images`` (B, C, H, W) in [0, 1] and ``labels`` (B,).

    Args:
        data: The images.
        chosen: (N,) which of them; by default all.
        shift: Images are moved by up to so many pixels each way, with black borders.
        mirror: Mirror half of them, left to right.
    """

    def __init__(
        self,
        data: LabelledImages,
        chosen: Tensor | None = None,
        *,
        shift: int = 0,
        mirror: bool = False,
    ) -> None:
        self.data, self.shift, self.mirror = data, shift, mirror
        self.chosen = torch.arange(len(data)) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def fingerprint(self) -> str:
        """A hash of the images and labels."""
        return self.data.fingerprint(self.chosen)

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """The samples at ``indices``, each moved and mirrored by itself."""
        indices = self.chosen[indices]
        images = self.data.pixels(indices)
        count, side = len(images), self.shift
        if side:
            height, width = images.shape[-2:]
            padded = F.pad(images, (side,) * 4)
            places = torch.randint(0, 2 * side + 1, (count, 2), generator=generator).tolist()
            images = torch.stack(
                [
                    image[:, top : top + height, left : left + width]
                    for image, (top, left) in zip(padded, places, strict=True)
                ]
            )
        if self.mirror:
            chosen = torch.rand(count, generator=generator) < 0.5
            images = torch.where(chosen.view(-1, 1, 1, 1), images.flip(3), images)
        return {"images": images, "labels": self.data.labels[indices]}


def prepare_batches(
    data: Any,
    model: nn.Module | None,
    val_fraction: float,
    *,
    size: int | None = None,
    shift: int,
    mirror: bool,
) -> tuple[TrainingSet, TrainingSet | None]:
    """Training and validation batches of what users give; only the former are augmented.

    Args:
        data: `LabelledImages`, or anything `load_labelled` takes; a `TrainingSet` is left as it is.
        model: What is trained, for its channels; colour where that is not known.
        val_fraction: The share of the images that is held out.
        size: The side that images are brought to; ``None`` keeps theirs.
        shift: As in `LabelledBatches`.
        mirror: As in `LabelledBatches`.
    """
    if isinstance(data, TrainingSet):
        return data, None
    if not isinstance(data, LabelledImages):
        channels = None if model is None else input_channels(model)
        data = load_labelled(data, size=size, channels=channels or 3)
    if model is not None:
        with torch.no_grad(), frozen(model):
            like = next(model.parameters(), torch.zeros(())).device
            logits = model(data.pixels(slice(0, 1)).to(like))
        if isinstance(logits, Tensor) and logits.ndim == 2:
            data.check_classes(logits.shape[1])
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    held = round(len(data) * val_fraction)
    training = LabelledBatches(data, order[held:], shift=shift, mirror=mirror)
    return training, LabelledBatches(data, order[:held]) if held else None


def share_right(logits: Tensor, labels: Tensor) -> float:
    """The share of images that are classified right, 0 to 1."""
    return float(accuracy(logits, labels).mean())
