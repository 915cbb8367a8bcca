"""What a plugin's denoiser, attack, defense and purifier must be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Protocol, runtime_checkable

import torchattacks.attack
from torch import Generator, Tensor, enable_grad, nn
from torch.optim import Optimizer

from .errors import InputError

Batch = dict[str, Tensor]


class Denoiser(nn.Module):
    """Restores noisy images: ``forward(noisy, sigma=None) -> restored``.

    Images are (N, C, H, W) in [0, 1]; ``sigma`` is a noise level as a fraction of the range,
    a float or a tensor of shape (N,). Any plain ``nn.Module`` that maps images to images is
    accepted wherever a Denoiser is.

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

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``.

        Args:
            noisy: (N, C, H, W).
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
        parameters: A function that takes the model and gives the parameters trained in this
            stage; ``None`` for all of them.
    """

    name: str
    share: float = 1.0
    lr: float = 1.0
    parameters: Callable[[nn.Module], Iterable[nn.Parameter]] | None = None

    def trained(self, model: nn.Module) -> list[nn.Parameter]:
        """The model's parameters that this stage trains."""
        return list(model.parameters() if self.parameters is None else self.parameters(model))


@dataclass(frozen=True)
class Step:
    """Where a training is when a loss is taken.

    Attributes:
        stage: The stage's name.
        progress: The share of the stage that is done, from 0 to below 1.
        generator: Where the loss draws its random numbers from; it depends on the run's seed and
            on the number of the step alone.
    """

    stage: str
    progress: float = 0.0
    generator: Generator = field(default_factory=Generator)


@runtime_checkable
class TrainingSet(Protocol):
    """What training draws batches from.

    A draw depends on nothing but its arguments, so that a resumed run sees the very same batches.
    A set that has a method ``fingerprint() -> str``, a hash of its samples, lets a run notice that
    they were replaced before it goes on.
    """

    def __len__(self) -> int:
        """How many samples there are."""
        ...

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """The samples at ``indices`` (B,), augmented with numbers from ``generator``.

        Returns:
            Tensors by name, each with one row a sample.
        """
        ...


class Defense:
    """A way of training: its data, its stages, and the loss of a batch.

    The loop is `robust_restoration.train`.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Written for version 0.1, these would be called with other arguments, or never.
        if "parameters" in vars(cls):
            raise InputError(
                f"{cls.__name__} has a method parameters(); a stage names them itself now: "
                "Stage(name, parameters=lambda model: ...)."
            )
        loss = vars(cls).get("loss")
        if loss is not None and "generator" in inspect.signature(loss).parameters:
            raise InputError(
                f"{cls.__name__}.loss takes 'stage' and 'generator'; write it as loss(model, "
                "batch, step) now, with step.stage, step.progress and step.generator."
            )

    def prepare(
        self,
        data: Any,
        *,
        model: nn.Module | None = None,
        val_fraction: float = 0.05,
        progress: bool = True,
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Make what is trained on, and a validation set out of it.

        Args:
            data: Whatever users give: a data set's name, a folder, tensors, images that were
                loaded, or a `TrainingSet`, which is left as it is. Nothing of it is changed.
            model: What is trained, for its channels; ``None`` takes the data's own.
            val_fraction: The share of the data that is held out for validation.
            progress: Show a progress bar where it takes long.

        Raises:
            InputError: If this defense cannot train on it; the base takes a `TrainingSet` alone.
        """
        if not isinstance(data, TrainingSet):
            raise InputError(
                f"{type(self).__name__} got a {type(data).__name__} to train on; expected a "
                "TrainingSet: an object with len() and batch(indices, generator, stage)."
            )
        return data, None

    def stages(self, model: nn.Module) -> tuple[Stage, ...]:
        """The stages for a model, in order; by default one that trains all parameters."""
        return (Stage("train"),)

    def optimizer(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer | None:
        """What a stage's parameters are trained with; ``None`` for Adam with the run's settings.

        Args:
            parameters: Those of the stage.
            lr: The learning rate at the start of the stage; the run's schedule multiplies it.
        """
        return None

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and figures worth showing beside it.

        Args:
            model: What is trained, in train mode, wrapped where there are several processes.
            batch: As the training set gave it, or a part of its rows.
            step: Where the training is, and where random numbers come from.
        """
        raise NotImplementedError

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Figures on a held-out batch; by default none. Higher or lower is up to their names."""
        return {}
