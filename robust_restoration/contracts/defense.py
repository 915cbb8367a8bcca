"""What a way of training must be, and what it trains on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from robust_restoration.errors import InputError, check_type

Batch = dict[str, Tensor]


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

    Attributes:
        needs_labels: Whether `prepare` needs labelled images where a classifier takes part. Without
            need of them it is given images, `RestorationImages`, where there are no labels.
        trains: What it trains for a classifier, if it takes one: ``"purifier"`` or ``"denoiser"``.
        together: Whether it trains a purifier and the classifier behind it, a
            `PurifiedClassifier`, where it is given both.
    """

    needs_labels = True
    trains = "purifier"
    together = False

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
        expected = "a TrainingSet: an object with len() and batch(indices, generator, stage)"
        check_type(f"data for {type(self).__name__}", data, TrainingSet, expected)
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
