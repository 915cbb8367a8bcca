"""What a plugin's degradation, denoiser, attack, defense and purifier must be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, Protocol, runtime_checkable

import torch
import torchattacks.attack
from torch import Generator, Tensor, enable_grad, nn

from .degradations.draws import Draw, draws_of
from .errors import InputError
from .images.checks import check_layout

Batch = dict[str, Tensor]


Given = dict[str, Tensor]


class Degradation(ABC):
    """Spoils images: ``observed, given = degradation(clean, seed=0)``.

    What an image becomes depends on the seed and the image's number alone: neither on the batch it
    is in, nor on the device, nor on the dtype. ``given`` is what a restorer may be told of it, such
    as ``{"sigma": (N,)}``. Observed images may have another size or other channels than clean ones.
    A subclass writes `corrupt`.
    """

    @abstractmethod
    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Spoil one image.

        Args:
            image: (C, H, W), floating-point; not to be changed.
            draw: Where all random numbers come from.

        Returns:
            The observed image (C', H', W'), and what is given of it: a number or a tensor a name,
            the same names for every image.
        """

    def __call__(
        self,
        clean: Tensor,
        *,
        seed: int | None = None,
        generator: Generator | None = None,
        index: int | Sequence[int] = 0,
    ) -> tuple[Tensor, Given]:
        """Spoil images.

        Args:
            clean: (N, C, H, W) in [0, 1], floating-point.
            seed: What an image becomes is given by the seed and its number.
            generator: Where a seed is drawn from instead, one number a call; with neither, it is
                torch's global generator.
            index: The first image's number, the others following; or one number an image. Batches
                that together hold a data set, each with its own first number, become the very
                images that the whole set becomes in one call.

        Returns:
            The observed images (N, C', H', W'), in the dtype and on the device of ``clean``, not
            clipped to [0, 1]; and what is given of them, a tensor (N, ...) a name.

        Raises:
            InputError: If ``clean`` is of another layout, or the arguments contradict.
        """
        check_layout(clean, "clean")
        draws = draws_of(len(clean), seed=seed, generator=generator, index=index)
        pairs = [self.corrupt(image, draw) for image, draw in zip(clean, draws, strict=True)]
        observed = [image for image, _ in pairs]
        if len({image.shape for image in observed}) > 1:
            raise InputError(
                f"{type(self).__name__} makes images of several sizes in one batch; expected one "
                "size. Give it one image at a time."
            )
        told = [{k: torch.as_tensor(v) for k, v in given.items()} for _, given in pairs]
        given = {name: torch.stack([one[name] for one in told]).to(clean) for name in told[0]}
        return torch.stack(observed).to(clean), given


class Denoiser(nn.Module):
    """Restores noisy images: ``forward(observed, sigma=None) -> restored``.

    The case of a restorer that is given ``{"sigma": ...}``. Images are (N, C, H, W) in [0, 1];
    ``sigma`` is a noise level as a fraction of the range, a float or a tensor of shape (N,). Any
    plain ``nn.Module`` that maps images to images is accepted wherever a Denoiser is; its forward
    names what it is to be given, and its result may have another size.

    Attributes:
        channels: How many channels it takes; ``None`` for any number.
        blind: Whether it works without being told ``sigma``.
        sigma_range: The lowest and highest noise level it is made for.
        differentiable: Whether gradients flow through it.
    """

    channels: int | None = None
    blind: bool = True
    sigma_range: tuple[float, float] = (0.0, 1.0)
    differentiable: bool = True

    def forward(self, observed: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``observed``.

        Args:
            observed: (N, C, H, W).
            sigma: Noise level, a float or (N,); required where the denoiser is not blind.

        Returns:
            (N, C, H, W), not clamped.
        """
        raise NotImplementedError


class Purifier(nn.Module):
    """Takes a perturbation out of images: ``forward(images) -> images``.

    Attributes:
        random: Whether two calls on the same input differ; a white-box attack then needs the
            expectation over the randomness.
        differentiable: Whether gradients flow through it; a white-box attack otherwise uses
            the straight-through estimate.
    """

    random: bool = False
    differentiable: bool = True

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1]; the result is of the same kind."""
        raise NotImplementedError


def unwrapped(model: nn.Module) -> nn.Module:
    """What is inside a wrapper for several devices or processes; the model itself without one."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return unwrapped(model.module) if isinstance(model, wrappers) else model


@contextmanager
def frozen(model: Any) -> Iterator[None]:
    """Eval mode and no parameter gradients inside, exactly the former state after, even on errors.

    Args:
        model: An ``nn.Module``; anything else is left alone.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


class Attack(torchattacks.attack.Attack):
    """Base of the attacks: a torchattacks ``Attack`` without what bites in it.

    Called as ``attack(inputs, targets)``; ``targets`` are labels (N,) or clean images
    (N, C, H, W). Returns attacked inputs of the same shape, dtype and device. A subclass writes
    `forward`, and `limit` where it has a budget; whatever `forward` returns, `__call__` brings it
    back into the budget. The model's modes and ``requires_grad`` flags are as before afterwards,
    also when something raises, and ``eps=0`` gives the input back bit for bit.
    """

    def __init__(self, name: str, model: Any) -> None:
        with redirect_stdout(StringIO()):  # it prints where a model has no parameters
            super().__init__(name, model)

    def __call__(self, inputs: Tensor, labels: Tensor | None = None, *args: Any, **kw: Any) -> Any:
        """Attack ``inputs``; see the class for shapes."""
        self._check(inputs, labels)
        inputs = inputs.detach()
        eps = getattr(self, "eps", None)
        if isinstance(eps, int | float) and eps == 0:
            return inputs.clone()
        device = next(self.model.parameters(), inputs).device if isinstance(
            self.model, nn.Module
        ) else inputs.device
        if inputs.device != device:
            raise InputError(
                f"The inputs are on {inputs.device} and the model on {device}: "
                f"move one with .to({str(device)!r})."
            )
        self.device = device
        keep_training = self._model_training
        with frozen(self.model), enable_grad():  # also for a caller under no_grad
            if keep_training:  # set_model_training_mode: the caller wants train mode in the attack
                self._change_model_mode(True)
            if self._normalization_applied is True:  # torchattacks' own set_normalization_used
                plain = self.inverse_normalize(inputs)
                self._set_normalization_applied(False)
                try:
                    attacked = self.forward(plain, labels, *args, **kw).detach()
                finally:
                    self._set_normalization_applied(True)
                return self.normalize(self.limit(attacked, plain)).to(inputs.dtype)
            attacked = self.forward(inputs, labels, *args, **kw).detach()
        return self.limit(attacked, inputs).to(inputs.dtype)

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """Bring ``attacked`` back into the budget about ``inputs``; the base has no budget."""
        return attacked

    @staticmethod
    def _check(inputs: Tensor, targets: Tensor | None) -> None:
        if not inputs.is_floating_point() or inputs.ndim != 4:
            raise InputError(
                f"An attack got inputs of shape {tuple(inputs.shape)} and {inputs.dtype}: "
                "expected floating-point images (N, C, H, W) in [0, 1]."
            )
        if targets is not None and targets.shape[:1] != inputs.shape[:1]:
            raise InputError(
                f"An attack got {inputs.shape[0]} inputs and {targets.shape[0]} targets: "
                "expected one target an input."
            )

    def __setattr__(self, name: str, value: Any) -> None:
        # torchattacks compares every value ever set with ==, which fails on lists of tensors,
        # and keeps them all alive in a default argument. Nested attacks are all it needs to see.
        object.__setattr__(self, name, value)
        nested = self.__dict__.get("_attacks")
        if nested is None or name == "_attacks":
            return
        values = value.values() if isinstance(value, dict) else value
        if not isinstance(value, list | tuple | dict):
            values = (value,)
        for number, item in enumerate(values):
            if isinstance(item, torchattacks.attack.Attack):
                nested[f"{name}.{number}"] = item
                for key, inner in item.__dict__.get("_attacks", {}).items():
                    nested[f"{name}.{key}"] = inner


@dataclass(frozen=True)
class Stage:
    """A part of a training in which the same parameters are trained.

    Attributes:
        name: What progress and checkpoints call it.
        share: Its share of all steps; shares are scaled to add up to 1.
        lr: Its learning rate as a multiple of the training's.
    """

    name: str
    share: float = 1.0
    lr: float = 1.0


@runtime_checkable
class TrainingSet(Protocol):
    """What training draws batches from.

    A draw depends on nothing but its arguments, so that a resumed run sees the very same batches.
    """

    def __len__(self) -> int:
        """How many samples there are."""
        ...

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """The samples at ``indices`` (B,), augmented with numbers from ``generator``."""
        ...


class Defense:
    """A way of training: which parameters in which stage, and the loss of a batch.

    The loop is `robust_restoration.train`.
    """

    def prepare(
        self, data: Any, *, val_fraction: float = 0.05, progress: bool = True
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Make what is trained on, and a validation set out of it, from raw data.

        Args:
            data: What this defense works on; by default a `TrainingSet` already.
            val_fraction: The share of it that is held out for validation.
            progress: Show a progress bar where it takes long.
        """
        return data, None

    def stages(self, model: nn.Module) -> tuple[Stage, ...]:
        """The stages for a model, in order."""
        return (Stage("train"),)

    def parameters(self, model: nn.Module, stage: str) -> Iterable[nn.Parameter]:
        """The parameters trained in a stage."""
        return model.parameters()

    def loss(
        self, model: nn.Module, batch: Batch, stage: str, generator: Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and figures worth showing beside it."""
        raise NotImplementedError

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Figures on a held-out batch; by default none. Higher or lower is up to their names."""
        return {}


