"""The task of classifiers: labelled images, and purifiers before the classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack, frozen
from robust_restoration.data import load_labelled
from robust_restoration.errors import InputError, check_type
from robust_restoration.images.metrics import accuracy
from robust_restoration.models import precision
from robust_restoration.models.classifiers import (
    answers,
    check_classifier,
    check_logits,
    classifier_name,
    input_channels,
    with_unit_range,
)
from robust_restoration.models.purify import find_purifier

from .controls import CLAMP, ENERGY, SIGN
from .tasks import Block, Figures, Options, Task, weights_hash
from .threats import BARE, WHOLE, Threat
from .whitebox import attackable

NONE = "none"  # the bare classifier among the purifiers
# So many at a time by default, on a processor: 32 images of 224x224 take half as long again an
# image as 8, for memory that the system has to give anew.
PIXELS = 2**19


class Classification(Task):
    """Purifiers before a classifier, or classifiers alone."""

    role, usual, controls = "classifier", ("psnr", "ssim"), (CLAMP, ENERGY, SIGN)
    epsilons, batch = (1 / 255, 2 / 255, 4 / 255, 8 / 255), 32
    accumulates = replaceable = True

    def __init__(self, subjects: Mapping[str, nn.Module], data: Any, options: Options) -> None:
        super().__init__(options)
        if options.within_level or options.noise is not None:
            raise InputError("noise and within_level are for denoisers; leave them out.")
        purifiers = options.purifiers
        if purifiers and len(subjects) > 1:
            raise InputError("purifiers stand before one classifier; give it alone.")
        first = next(iter(subjects.values()))
        images = getattr(data, "images", None)
        own = images.shape[1] if isinstance(images, Tensor) else input_channels(first) or 3
        self.data = load_labelled(
            data, size=options.size, channels=options.channels or own, limit=options.limit,
            root=options.root,
        )
        self.names = [str(number) for number in range(len(self.data))]
        self.shapes = [self.data.images.shape[1:]] * len(self.data)
        self.bare = {name: with_unit_range(module) for name, module in subjects.items()}
        self.purifiers: dict[str, nn.Module] = {name: nn.Identity() for name in subjects}
        if purifiers:
            if not isinstance(purifiers, Mapping):
                side = min(self.data.images.shape[-2:])
                purifiers = {word: _purifier(first, word, side) for word in purifiers}
            self.purifiers = {NONE: nn.Identity(), **purifiers}
            self.bare = dict.fromkeys(self.purifiers, *self.bare.values())
        self.subjects = {
            name: nn.ModuleList([purifier, self.bare[name]])
            for name, purifier in self.purifiers.items()
        }
        pixels = self.data.pixels(slice(0, 1)).to(self.device)
        if self.device.type == "cpu":
            self.batch = max(1, min(self.batch, PIXELS // pixels[0, 0].numel()))
        for classifier in set(self.bare.values()):
            check_classifier(classifier, pixels, "data")
            self.data.check_classes(answers(classifier, pixels).shape[-1])
        self.data.name = self.data.name or "images"
        self.settings = {
            "classifier": options.title or classifier_name(first),
            "classifier_weights": ", ".join(weights_hash(m) for m in subjects.values()),
        }
        self.weights = {name: weights_hash(module) for name, module in self.purifiers.items()}

    def block(self, numbers: Sequence[int], eps: float | None = None) -> Block:
        """The images with their labels."""
        rows = torch.tensor(list(numbers))
        pixels = self.data.pixels(rows).to(self.device)
        return Block(list(numbers), pixels, self.data.labels[rows].to(self.device), pixels)

    def attacked_model(self, threat: Threat, subject: str) -> nn.Module:
        """The bare classifier, purifier and classifier as one, or the surrogate."""
        if isinstance(threat.through, nn.Module):
            return with_unit_range(threat.through)
        if threat.through == BARE:
            return self.bare[subject]
        chosen = subject if threat.through == WHOLE else threat.through
        if isinstance(self.purifiers[chosen], nn.Identity):
            return self.bare[chosen]
        return attackable(self.bare[chosen], self.purifiers[chosen], threat.draws)

    def attacked(self, attack: Attack, block: Block) -> Tensor:
        """As the base, in the precision asked for: these attacks do not take it as an option."""
        with precision.autocast(block.inputs, self.autocast):
            return super().attacked(attack, block)

    def control(self, name: str, attack: Attack, attacked: Tensor, block: Block) -> Tensor:
        """As the base, within [0, 1]."""
        return super().control(name, attack, attacked, block).clamp(0, 1)

    def groups(self, threat: Threat) -> list[list[str]]:
        """As the base; different bare classifiers are attacked one by one."""
        if threat.through == BARE and len({id(m) for m in self.bare.values()}) > 1:
            return [[name] for name in self.subjects]
        return super().groups(threat)

    def output(self, subject: str, images: Tensor, block: Block) -> Tensor:
        """Purified images."""
        return self._run(self.purifiers[subject], images, block)

    def figures(self, subject: str, output: Tensor, images: Tensor, block: Block) -> Figures:
        """Whether each image is classified right, and how the purified one looks."""
        logits = self._run(self.bare[subject], output, block)
        check_logits(logits, len(images), self.bare[subject])
        right = accuracy(logits, block.targets)
        return {"accuracy": right, **self.compare(output, images, block)}

    def _run(self, module: nn.Module, images: Tensor, block: Block) -> Tensor:
        with torch.no_grad(), frozen(module), precision.autocast(images, self.autocast):
            return self.one_by_one(module, images, block, lambda part, _: module(part)).float()


def _purifier(classifier: nn.Module, word: str, side: int) -> nn.Module:
    expected = "a name, or a name with a module: purifiers={'mine': module}"
    check_type("A purifier", word, str, expected)
    name, _, weights = word.partition("=")
    return find_purifier(classifier, name, weights=weights or None, size=side)
