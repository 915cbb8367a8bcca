"""What a plugin's degradation, denoiser, attack, defense and purifier must be."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from copy import copy
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Protocol, runtime_checkable

import torch
import torchattacks.attack
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from .budgets import NARROW, check_eps, check_norm, rounded, within
from .degradations.draws import Draw, draws_of
from .errors import InputError
from .freezing import fitted, frozen, ordinary
from .images.checks import check_layout
from .numbers import check_count
from .randomness import GlobalState, PerImage, numbers_of, seeded

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

    def for_classifier(self, classifier: nn.Module, size: int | None = None) -> nn.Module:
        """This purifier with the weights that suit a classifier.

        Args:
            classifier: Decides which; see `robust_restoration.models.purify.find_purifier`.
            size: The side of its images, where it does not say so itself.

        Returns:
            Another one, in eval mode; the purifier itself where it has nothing to learn, has
            weights already, or was not created by name.

        Raises:
            WeightsError: If there are no weights that fit.
        """
        from .models.origin import origin_of
        from .models.purify import find_purifier

        origin, learns = origin_of(self), next(self.parameters(), None) is not None
        if origin is None or origin.weights is not None or not learns:
            return self
        return find_purifier(classifier, origin.name, size=size)


def unwrapped(model: nn.Module) -> nn.Module:
    """What is inside a wrapper for several devices or processes; the model itself without one."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return unwrapped(model.module) if isinstance(model, wrappers) else model


class Attack(torchattacks.attack.Attack):
    """Base of the attacks: a torchattacks ``Attack`` that says what it does, and keeps to it.

    Called as ``attack(inputs, targets)``; ``targets`` are labels (N,) or clean images
    (N, C, H, W). Returns attacked inputs of the same shape, dtype and device. A subclass declares
    what is below, writes `forward`, and `radius` or `limit` where its budget is measured in
    another way. `__call__` sees to the rest: whatever `forward` returns is brought back into the
    budget and the range; ``eps=0`` gives the input back bit for bit; half precision is attacked
    in float32 and rounded towards the input; the model's modes and flags and the global random
    states are as before afterwards, also when something raises.

    Random numbers: draw them from torch. Those of an image depend on ``seed`` and the image's
    number alone, neither on the batch it is in nor on what ran before.

    Attributes:
        norm: In which norm ``eps`` limits the perturbation of each image: ``math.inf``, 2.0, 1.0,
            0.0 (changed pixels); ``None`` where no norm does.
        eps: The budget, a number or (N,) with one for each image; ``None`` without one.
        bounds: The range of the results, which a pixel outside it may not leave further; or
            ``None``.
        random: Whether it draws random numbers.
        differentiates: Whether it takes gradients of the model.
        rowwise: Whether the images of a batch do not influence each other, but for drawn numbers.
            If not, they are attacked one by one.
        seed: Of the random numbers. ``None`` takes a seed from torch's global generator at each
            call of a random attack.
    """

    norm: float | None = None
    eps: float | Tensor | None = None
    bounds: tuple[float, float] | None = (0.0, 1.0)
    random: bool = True
    differentiates: bool = True
    rowwise: bool = True
    seed: int | None = None

    def __init__(self, name: str, model: Any) -> None:
        with redirect_stdout(StringIO()):  # it prints where a model has no parameters
            super().__init__(name, model)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "index" in inspect.signature(cls.forward).parameters:
            raise InputError(
                f"{cls.__name__}.forward takes 'index', as in version 0.1: leave it out, and draw "
                "from torch, whose numbers __call__ makes depend on the seed and the image."
            )

    def __call__(
        self,
        inputs: Tensor,
        targets: Tensor | None = None,
        *args: Any,
        index: int | Sequence[int] = 0,
        **kw: Any,
    ) -> Tensor:
        """Attack ``inputs``; see the class for shapes.

        Args:
            inputs: (N, C, H, W), N at least 1.
            targets: Labels or clean images, one an image.
            *args: Passed to `forward`.
            index: The number of the first image, the others following; or one number an image.
            **kw: Passed to `forward`.

        Raises:
            InputError: If the inputs, the targets or the budget cannot be worked with.
        """
        # Also for a caller under no_grad: leaving inference mode turns gradients on.
        with torch.inference_mode(False), ExitStack() as stack:
            inputs, targets = ordinary(inputs), ordinary(targets)
            self.check(inputs, targets)
            numbers = numbers_of(len(inputs), index)
            normalized = self._normalization_applied is True  # torchattacks' own option
            images = self.inverse_normalize(inputs) if normalized else inputs
            radius = self.radius(images)
            still = None if radius is None else (radius == 0).view(-1, 1, 1, 1)
            nothing = isinstance(self.eps, int | float) and self.eps == 0
            if nothing or (still is not None and bool(still.all())):
                return inputs.clone()
            for model in self.models():
                stack.enter_context(frozen(model))
                stack.enter_context(fitted(model, images))
            self.device = images.device
            if self._model_training:  # set_model_training_mode: train mode is asked for
                self._change_model_mode(True)
            if normalized:
                self._set_normalization_applied(False)
                stack.callback(self._set_normalization_applied, True)
            narrow = images.dtype in NARROW
            wide = (images.float() if narrow else images).contiguous()
            if narrow and targets is not None and targets.dtype == images.dtype:
                targets = targets.float()
            args = tuple(map(ordinary, args))
            kw = {name: ordinary(value) for name, value in kw.items()}
            attacked = self.run(wide, targets, numbers, *args, **kw).detach()
            exact = images.double() if narrow else images
            attacked = self.limit(attacked.to(exact), exact)
            if still is not None:
                attacked = torch.where(still, exact, attacked)
            attacked = rounded(attacked, images)
            if normalized:
                attacked = self.normalize(attacked).to(inputs.dtype)
            return attacked.clone() if attacked.data_ptr() == inputs.data_ptr() else attacked

    def run(
        self, images: Tensor, targets: Tensor | None, numbers: list[int], *args: Any, **kw: Any
    ) -> Tensor:
        """`forward`, the numbers that each image draws given by the seed and its own number.

        Args:
            images: (N, C, H, W), of at least float32.
            targets: One an image.
            numbers: The number of each image.
            *args: Passed to `forward`.
            **kw: Passed to `forward`; tensors with a row an image are split where images are.
        """
        seed = self.seed
        if seed is None:
            seed = int(torch.randint(2**62, ())) if self.random else 0
        if self.rowwise:
            before = GlobalState(images.device)
            try:
                with PerImage(seed, numbers):
                    attacked: Tensor = self.forward(images, targets, *args, **kw)
                if before.unchanged():
                    return attacked
            finally:
                if not before.unchanged():
                    before.restore()
            self.rowwise = False  # it drew from a global generator: numbers of a whole batch
        rows = []
        for row, number in enumerate(numbers):

            def cut(value: Any, row: int = row) -> Any:
                split = isinstance(value, Tensor) and value.shape[:1] == images.shape[:1]
                return value[row : row + 1] if split else value

            part = self.part(cut)
            more = {name: cut(value) for name, value in kw.items()}
            with seeded(seed, number, images.device), PerImage(seed, [number]):
                rows.append(part.forward(cut(images), cut(targets), *map(cut, args), **more))
        return torch.cat(rows)

    def part(self, cut: Callable[[Any], Any]) -> Attack:
        """This attack for one image of a batch; ``cut`` takes its row of what has one an image."""
        part = copy(self)
        part.eps = cut(self.eps)
        return part

    def models(self) -> list[Any]:
        """What is frozen during an attack: the model, and others that it runs."""
        return [self.model]

    def radius(self, inputs: Tensor) -> Tensor | None:
        """The largest size of each image's perturbation in `norm`, (N,); ``eps`` by default."""
        if self.norm is None or self.eps is None:
            return None
        eps = torch.as_tensor(self.eps, dtype=torch.float64, device=inputs.device)
        return eps.expand(len(inputs))

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """Bring ``attacked`` back into the declared budget and range about ``inputs``."""
        return within(
            attacked,
            inputs,
            norm=self.norm,
            radius=self.radius(inputs),
            bounds=self.bounds,
        )

    def check(self, inputs: Tensor, targets: Tensor | None) -> None:
        """Check what an attack is called with; a subclass may ask for more.

        Raises:
            InputError: With what came, what is expected, and what would fix it.
        """
        name = type(self).__name__
        if not inputs.is_floating_point() or inputs.ndim != 4:
            raise InputError(
                f"{name} got inputs of shape {tuple(inputs.shape)} and {inputs.dtype}: "
                "expected floating-point images (N, C, H, W) in [0, 1]."
            )
        if not inputs.numel():
            raise InputError(
                f"{name} got inputs of shape {tuple(inputs.shape)}, which hold no image; expected "
                "at least one."
            )
        if targets is not None and targets.shape[:1] != inputs.shape[:1]:
            raise InputError(
                f"{name} got {len(inputs)} inputs and {targets.shape[:1].numel()} targets: "
                "expected one target an input."
            )
        if self.seed is not None:
            check_count("seed", self.seed, at_least=0)
        check_norm(self.norm, name)
        check_eps(self.eps, self.norm)
        if isinstance(self.eps, Tensor) and self.eps.ndim and self.eps.shape != inputs.shape[:1]:
            raise InputError(
                f"eps has shape {tuple(self.eps.shape)} for {len(inputs)} images; expected one "
                f"number or ({len(inputs)},)."
            )
        if isinstance(self.model, nn.Module):
            device = next(self.model.parameters(), inputs).device
            if inputs.device != device:
                raise InputError(
                    f"The inputs are on {inputs.device} and the model on {device}: "
                    f"move one with .to({str(device)!r})."
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
