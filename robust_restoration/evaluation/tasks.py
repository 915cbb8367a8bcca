"""What the engine needs to know of subjects and data: a `Task`, which makes itself of both."""

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
from robust_restoration.data import load_images, load_labelled
from robust_restoration.errors import DataError, InputError
from robust_restoration.images.metrics import mae, ssim
from robust_restoration.models.classifiers import input_channels, pretrained_cfg
from robust_restoration.models.purify import PurifiedClassifier
from robust_restoration.models.restore import quality, takes_sigma
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target

from .controls import control
from .threats import WHOLE, Threat, attacked_images

SUBJECT = 2**40  # beside the seed: what a random subject draws is not what attacks draw
METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "psnr": quality,
    "ssim": ssim,
    "mae": mae,
}
Figures = dict[str, Tensor]


@dataclass(frozen=True)
class Options:
    """What `evaluate` was asked for beside subjects, data and threats; as it describes them."""

    purifiers: Sequence[str] | Mapping[str, nn.Module] | None
    sigma: float | None
    noise: Degradation | str | None
    within_level: bool
    metrics: Sequence[str] | None
    channels: int | None
    size: int | None
    limit: int | None
    root: Path | str | None
    tile: int | None
    autocast: str | None
    seed: int
    title: str


@dataclass(frozen=True)
class Block:
    """Images of one size.

    Attributes:
        numbers: The images' numbers.
        inputs: (N, C, H, W), what is attacked.
        targets: What an attack is given: clean images (N, C, H, W), or labels (N,).
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
    """Named subjects that turn images into images, figures of these, and what is attacked.

    Attributes:
        role: ``"denoiser"`` or ``"classifier"``: whose default attacks are meant.
        usual: The metrics by default.
        controls: Names of the controls.
        epsilons: Budgets by default.
        batch: Images at a time by default.
        accumulates: Whether an image that fell at a strength counts as fallen at larger ones.
        replaceable: Whether figures of a subject with other weights are just computed anew.
        subjects: The subjects by name.
        data: The images, with ``name`` and ``damaged``.
        names: Their names.
        shapes: Their shapes.
        settings: What was asked for, as plain data.
        weights: Hashes of the subjects' weights, by name.
    """

    role: str
    usual: Sequence[str]
    controls: Sequence[str]
    epsilons: Sequence[float]
    batch: int
    accumulates = False
    replaceable = False
    subjects: Mapping[str, nn.Module]
    data: Any
    names: list[str]
    shapes: list[torch.Size]
    settings: dict[str, Any]
    weights: dict[str, str]

    def __init__(self, options: Options) -> None:
        self.seed, self.autocast = options.seed, options.autocast
        self.metrics = {name: _metric(name) for name in options.metrics or self.usual}

    @property
    def device(self) -> torch.device:
        """Where the subjects are."""
        parameters = (p for module in self.subjects.values() for p in module.parameters())
        return next(parameters, torch.zeros(())).device

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
    def figures(self, subject: str, output: Tensor, images: Tensor, block: Block) -> Figures:
        """Metric to (N,), of a subject's ``output`` on ``images``."""

    def attack(self, threat: Threat, subject: str, eps: float) -> Attack:
        """The attack of a threat on a subject."""
        model = self.attacked_model(threat, subject)
        return threat.make(
            model, eps, classifier=self.role == "classifier", seed=self.seed,
            autocast=self.autocast, sigma=self.level(model),
        )

    def level(self, model: nn.Module) -> float | None:
        """The noise level that a model is conditioned on."""
        return None

    def attacked(self, attack: Attack, block: Block) -> Tensor:
        """The images of a block under an attack."""
        return attacked_images(attack, block.inputs, block.targets, block.numbers, seed=self.seed)

    def control(self, name: str, attack: Attack, attacked: Tensor, block: Block) -> Tensor:
        """The images of a control, see `controls.control`."""
        return control(
            name, attack, block.inputs, attacked, block.clean, seed=self.seed + 1,
            index=block.numbers,
        )

    def groups(self, threat: Threat) -> list[list[str]]:
        """Subjects that see the same attacked images: each its own, or all a surrogate's."""
        shared = threat.through != WHOLE or isinstance(threat.attack, Attack)
        return [list(self.subjects)] if shared else [[name] for name in self.subjects]

    def one_by_one(
        self, model: nn.Module, images: Tensor, block: Block,
        call: Callable[[Tensor, Block], Tensor],
    ) -> Tensor:
        """``call(images, block)``; image by image, with seeds, where a model is random."""
        if not is_random(model):
            return call(images, block)
        rows = []
        for row, number in enumerate(block.numbers):
            with seeded(self.seed + SUBJECT, number, images.device):
                rows.append(call(images[row : row + 1], block.rows([row])))
        return torch.cat(rows)

    def compare(self, output: Tensor, images: Tensor, block: Block) -> Figures:
        """The metrics, and ``size``, the root mean square of the change to the inputs."""
        found = {name: metric(output, block.clean) for name, metric in self.metrics.items()}
        size = (images - block.inputs).float().square().mean(dim=(1, 2, 3)).sqrt()
        return {**found, "size": size}


def is_random(model: nn.Module) -> bool:
    """Whether a model says that it draws random numbers when it is called."""
    return any(getattr(module, "random", False) is True for module in model.modules())


def is_classifier(module: nn.Module, data: Any, options: Options) -> bool:
    """Whether a module gives logits (N, classes) rather than images, by trying where need be.

    Raises:
        InputError: If it gives neither, or cannot be tried on the first image.
    """
    if isinstance(unwrapped(module), Denoiser) or takes_sigma(module):
        return False
    if isinstance(unwrapped(module), PurifiedClassifier) or pretrained_cfg(module):
        return True
    channels, root = input_channels(module), options.root
    try:
        first = load_images(data, root=root, channels=channels, limit=1).image(0)[None]
    except DataError:  # such as an .npz of labelled images
        labelled = load_labelled(data, root=root, channels=channels or 3, limit=1)
        first = labelled.pixels(slice(0, 1))
    if options.size is not None:
        first = nn.functional.interpolate(first, (options.size, options.size))
    name, like = type(module).__name__, next(module.parameters(), first)
    try:
        with torch.no_grad(), frozen(module):
            out = module(first.to(like.device))
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
        if tensor.numel():
            flat = tensor.detach().cpu().contiguous().view(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _metric(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    return METRICS.get(name) or load_target(registry().find("metrics", name)[0].entry)
