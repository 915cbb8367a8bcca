"""What is evaluated: restorers on noisy images, or purifiers before a classifier.

Both are a `Task` to the engine: named subjects that turn images into images (restored or purified),
figures of these, and the model that an attack is made on.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack, Degradation, Denoiser, Given, frozen, unwrapped
from robust_restoration.contracts.randomness import seeded
from robust_restoration.data import LabelledImages, RestorationImages, load_images, load_labelled
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.errors import DataError, InputError
from robust_restoration.images.metrics import accuracy, mae, ssim
from robust_restoration.images.tiling import Tiled
from robust_restoration.models import precision
from robust_restoration.models.classifiers import (
    check_classifier,
    input_channels,
    pretrained_cfg,
    with_unit_range,
)
from robust_restoration.models.purify import PurifiedClassifier
from robust_restoration.models.restore import conditioning, quality, restored, takes_sigma
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target

from .controls import CLASSIFIERS, RESTORERS
from .threats import BARE, WHOLE, Threat
from .whitebox import attackable

SUBJECT = 2**40  # beside the seed: what a random subject draws is not what attacks draw
NONE = "none"  # the bare classifier among the purifiers
WHOLE_SIDE = 1024  # images with a longer side are restored in tiles
METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "psnr": quality,
    "ssim": ssim,
    "mae": mae,
}


@dataclass(frozen=True)
class Block:
    """Images of one size.

    Attributes:
        numbers: The images' numbers.
        inputs: (N, C, H, W), what is attacked.
        targets: What an attack is told: clean images (N, C, H, W), or labels (N,).
        clean: (N, C, H, W), what outputs are compared with.
        given: What the degradation gives beside the inputs, a tensor (N, ...) a name.
    """

    numbers: list[int]
    inputs: Tensor
    targets: Tensor
    clean: Tensor
    given: Given = field(default_factory=dict)

    def rows(self, rows: Sequence[int]) -> Block:
        """Some of the images."""
        rows = list(rows)
        return Block(
            [self.numbers[r] for r in rows],
            self.inputs[rows],
            self.targets[rows],
            self.clean[rows],
            {name: tensor[rows] for name, tensor in self.given.items()},
        )


class Task(ABC):
    """What the engine needs to know of subjects and data.

    Attributes:
        role: ``"denoiser"`` or ``"classifier"``: whose default attacks are meant.
        subjects: The subjects by name.
        names: The images' names.
        data_name: What tables call them.
        controls: Names of the controls.
        accumulates: Whether an image that fell at a strength counts as fallen at larger ones.
    """

    role: str
    subjects: dict[str, nn.Module]
    names: list[str]
    data_name: str
    shapes: list[torch.Size]
    controls: tuple[str, ...]
    accumulates = False

    def __init__(
        self, *, seed: int, autocast: str | None, metrics: Sequence[str] | None, usual: str
    ) -> None:
        self.seed, self.autocast = seed, autocast
        self.metrics = {name: _metric(name) for name in metrics or usual.split()}

    @property
    def device(self) -> torch.device:
        """Where the subjects are."""
        for module in self.subjects.values():
            for parameter in module.parameters():
                return parameter.device
        return torch.device("cpu")

    @abstractmethod
    def block(self, numbers: Sequence[int], eps: float | None = None) -> Block:
        """The images, noisy as an attack of ``eps`` begins from, or as they came."""

    @abstractmethod
    def attacked_model(self, threat: Threat, subject: str) -> nn.Module:
        """The model that a threat to a subject is made on."""

    @abstractmethod
    def output(self, subject: str, images: Tensor, block: Block) -> Tensor:
        """(N, C, H, W) float32: restored or purified images."""

    @abstractmethod
    def figures(self, subject: str, output: Tensor, images: Tensor, block: Block) -> dict[
        str, Tensor
    ]:
        """Metric to (N,), of a subject's ``output`` on ``images``."""

    def groups(self, threat: Threat) -> list[list[str]]:
        """Subjects that see the same attacked images: each its own, or all a surrogate's."""
        shared = threat.through != WHOLE or isinstance(threat.attack, Attack)
        return [list(self.subjects)] if shared else [[name] for name in self.subjects]

    def is_random(self, model: nn.Module) -> bool:
        """Whether a model draws random numbers when it is called."""
        return any(getattr(module, "random", False) is True for module in model.modules())

    def one_by_one(
        self, model: nn.Module, images: Tensor, block: Block,
        call: Callable[[Tensor, Block], Tensor],
    ) -> Tensor:
        """``call(images, block)``; image by image, with seeds, where a model is random."""
        if not self.is_random(model):
            return call(images, block)
        rows = []
        for row, number in enumerate(block.numbers):
            with seeded(self.seed + SUBJECT, number, images.device):
                rows.append(call(images[row : row + 1], block.rows([row])))
        return torch.cat(rows)

    def compare(self, output: Tensor, clean: Tensor, images: Tensor, inputs: Tensor) -> dict[
        str, Tensor
    ]:
        """The metrics, and ``size``, the root mean square of the change to the inputs."""
        found = {name: metric(output, clean) for name, metric in self.metrics.items()}
        return {**found, "size": (images - inputs).float().square().mean(dim=(1, 2, 3)).sqrt()}


class Restoration(Task):
    """Restorers on images with noise."""

    role, controls = "denoiser", RESTORERS

    def __init__(
        self,
        subjects: Mapping[str, nn.Module],
        images: RestorationImages,
        *,
        noise: Degradation | None,
        sigma: float | None,
        within_level: bool,
        tile: int | None,
        **options: Any,
    ) -> None:
        super().__init__(usual="psnr ssim mae", **options)
        large = max(max(i.shape[-2:]) for i in images.clean) > WHOLE_SIDE
        self.subjects = {
            name: Tiled(module, tile=tile) if large and tile else module
            for name, module in subjects.items()
        }
        self.images, self.noise, self.sigma = images, noise, sigma
        self.within_level = within_level
        self.names, self.shapes = _unique(images.names), [i.shape for i in images.clean]
        self.data_name = images.name

    def block(self, numbers: Sequence[int], eps: float | None = None) -> Block:
        """The images with their noise: of level sigma - eps within a level."""
        noise = self.noise
        if self.within_level and eps is not None:
            assert self.sigma is not None
            if not eps <= self.sigma:  # a budget that is not a number fails here too
                raise InputError(
                    f"within_level takes an attack's eps off the level of the noise, and there is "
                    f"an eps of {eps:g} for a sigma of {self.sigma:g}; expected a sigma of at "
                    "least eps, and attacks with one budget."
                )
            noise = Gaussian(self.sigma - eps)
        observed, clean, given = self.images.pair(numbers, noise, seed=self.seed)
        observed, clean = observed.to(self.device), clean.to(self.device)
        given = {name: value.to(self.device) for name, value in given.items()}
        return Block(list(numbers), observed, clean, clean, given)

    def attacked_model(self, threat: Threat, subject: str) -> nn.Module:
        """The restorer itself, or the surrogate."""
        if isinstance(threat.through, nn.Module):
            return threat.through
        return self.subjects[subject if threat.through == WHOLE else threat.through]

    def level(self, model: nn.Module) -> float | None:
        """The noise level that a model is told."""
        return conditioning(model, self.sigma)

    def output(self, subject: str, images: Tensor, block: Block) -> Tensor:
        """Restored images."""
        module = self.subjects[subject]

        def call(part: Tensor, rows: Block) -> Tensor:
            like = None if part.shape == rows.clean.shape else rows.clean
            return restored(
                module, part, self.level(module), self.autocast, given=rows.given, like=like
            )

        return self.one_by_one(module, images, block, call)

    def figures(self, subject: str, output: Tensor, images: Tensor, block: Block) -> dict[
        str, Tensor
    ]:
        """The metrics, and the PSNR of the images before they are restored."""
        found = self.compare(output, block.clean, images, block.inputs)
        if images.shape == block.clean.shape:
            found["observed psnr"] = quality(images, block.clean)
        return found


class Classification(Task):
    """Purifiers before a classifier, or classifiers alone."""

    role, controls, accumulates = "classifier", CLASSIFIERS, True

    def __init__(
        self,
        classifiers: Mapping[str, nn.Module],
        purifiers: Mapping[str, nn.Module],
        data: LabelledImages,
        **options: Any,
    ) -> None:
        super().__init__(usual="psnr ssim", **options)
        self.data, self.data_name = data, data.name or "images"
        self.names = [str(number) for number in range(len(data))]
        self.shapes = [data.images.shape[1:]] * len(data)
        bare = {name: with_unit_range(module) for name, module in classifiers.items()}
        self.purifiers: dict[str, nn.Module] = {name: nn.Identity() for name in bare}
        self.bare = dict(bare)
        if purifiers:
            ((_, classifier),) = bare.items()
            self.purifiers = {NONE: nn.Identity(), **purifiers}
            self.bare = dict.fromkeys(self.purifiers, classifier)
        self.subjects = {
            name: nn.ModuleList([purifier, self.bare[name]])
            for name, purifier in self.purifiers.items()
        }
        first = data.pixels(slice(0, 1)).to(self.device)
        for classifier in bare.values():
            check_classifier(classifier, first, "data")
            with torch.no_grad(), frozen(classifier):
                data.check_classes(int(classifier(first).shape[-1]))

    def block(self, numbers: Sequence[int], eps: float | None = None) -> Block:
        """The images with their labels."""
        rows = torch.tensor(list(numbers))
        pixels = self.data.pixels(rows).to(self.device, memory_format=torch.channels_last)
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

    def groups(self, threat: Threat) -> list[list[str]]:
        """As the base; different bare classifiers are attacked one by one."""
        if threat.through == BARE and len({id(m) for m in self.bare.values()}) > 1:
            return [[name] for name in self.subjects]
        return super().groups(threat)

    def output(self, subject: str, images: Tensor, block: Block) -> Tensor:
        """Purified images."""
        purifier = self.purifiers[subject]
        with torch.no_grad(), frozen(purifier), precision.autocast(images, self.autocast):
            return self.one_by_one(
                purifier, images, block, lambda part, _: purifier(part)
            ).float()

    def figures(self, subject: str, output: Tensor, images: Tensor, block: Block) -> dict[
        str, Tensor
    ]:
        """Whether each image is classified right, and how the purified one looks."""
        bare = self.bare[subject]

        def call(part: Tensor, rows: Block) -> Tensor:
            with torch.no_grad(), frozen(bare), precision.autocast(part, self.autocast):
                return bare(part).float()

        right = accuracy(self.one_by_one(bare, output, block, call), block.targets)
        return {"accuracy": right, **self.compare(output, block.clean, images, block.inputs)}


def is_classifier(module: nn.Module, data: Any, size: int | None, root: Path | str | None) -> bool:
    """Whether a module gives logits (N, classes) rather than images, by trying where need be.

    Raises:
        InputError: If it gives neither, or cannot be tried on the first image.
    """
    inner = unwrapped(module)
    if isinstance(inner, Denoiser) or takes_sigma(module):
        return False
    if isinstance(inner, PurifiedClassifier) or pretrained_cfg(module):
        return True
    channels = input_channels(module)
    if isinstance(data, LabelledImages):
        first = data.pixels(slice(0, 1))
    else:
        try:
            first = load_images(data, root=root, channels=channels, limit=1).image(0)[None]
        except DataError:  # such as an .npz of labelled images
            first = load_labelled(data, root=root, channels=channels or 3, limit=1).pixels(
                slice(0, 1)
            )
    if size is not None:
        first = nn.functional.interpolate(first, (size, size))
    parameter = next(module.parameters(), None)
    name = type(module).__name__
    try:
        with torch.no_grad(), frozen(module):
            out = module(first if parameter is None else first.to(parameter.device))
    except Exception as error:
        raise InputError(
            f"{name} does not take the first image, {tuple(first.shape)}: {error}"
        ) from error
    if isinstance(out, Tensor) and out.ndim in (2, 4):
        return out.ndim == 2
    shape = f" of shape {tuple(out.shape)}" if isinstance(out, Tensor) else ""
    raise InputError(
        f"{name} makes a {type(out).__name__}{shape} of {tuple(first.shape)}; expected images "
        "(N, C, H, W) of a denoiser, or logits (N, classes) of a classifier."
    )


def weights_hash(module: nn.Module) -> str:
    """A short hash of a module's weights and options."""
    digest = hashlib.sha256(type(module).__name__.encode())
    digest.update(json.dumps(getattr(module, "options", {}), sort_keys=True, default=str).encode())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
                      .tobytes() if tensor.numel() else b"")
    return digest.hexdigest()[:16]


def _metric(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    if name in METRICS:
        return METRICS[name]
    offer, _ = registry().find("metrics", name)
    return load_target(offer.entry)


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that come again."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
