"""The one training loop.

A run is a folder: ``settings.json``, ``recipe.yaml`` (everything that ``train --recipe`` needs to
repeat it), ``checkpoint.safetensors`` (weights, their moving average, the optimizer's state and the
step, in one file that is replaced whole), ``history.json`` (figures at each validation),
``curves.csv`` and ``curves.png``, and ``tensorboard`` where that is installed. What is drawn at a
step depends on the seed and the step alone, so that a killed run continues as if it had never
stopped: to the bit on the same machine with as many threads.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from robust_restoration import verbs
from robust_restoration.contracts import Batch, Defense, Step, TrainingSet
from robust_restoration.errors import InputError, TrainingError, UnknownNameError, check_type
from robust_restoration.models.classifiers import check_module
from robust_restoration.models.precision import forbids_channels_last
from robust_restoration.numbers import check_fraction
from robust_restoration.plugins.targets import call
from robust_restoration.processes import accelerator, leave_at_exit

from .batches import draw, mix, parts_of, share_of, stage_ends
from .curves import Curves
from .exchange import average_gradients, begin_alike
from .identity import identity
from .progress import Bar
from .recipes import FILE, Recipe, plain
from .run_folder import RunFolder, part_of
from .settings import Settings

M = TypeVar("M", bound=nn.Module)
OnStep = Callable[[int, dict[str, float]], None]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def train(
    model: M,
    defense: Defense,
    data: Any,
    *,
    out: Path | str | None = None,
    validation: TrainingSet | None = None,
    val_fraction: float = 0.05,
    resume: bool = True,
    progress: bool = True,
    on_step: OnStep | None = None,
    log_with: Any = None,
    recipe: Recipe | None = None,
    **settings: Any,
) -> M:
    """Train a model.

    Args:
        model: What to train, in place.
        defense: Which parameters in which stage, and the loss.
        data: Where batches are drawn from: a `TrainingSet`, or anything that the defense can make
            one of, such as a data set's name, a folder of images, or tensors.
        out: The run's folder; ``None`` keeps nothing on disk.
        validation: Held-out samples, taken from the training images.
        val_fraction: The share of the data that is held out where the defense makes the
            training set.
        resume: Continue the run in ``out`` if there is one.
        progress: Show a progress bar with loss and rate.
        on_step: Called after every step with its number and figures.
        log_with: Trackers, as `accelerate.Accelerator` takes them: a name such as ``"wandb"``, a
            ``GeneralTracker``, or a list of these; TensorBoard where it is installed by default.
        recipe: What is known of the run by name, for its ``recipe.yaml``; by default what the
            model and the defense were created as.
        **settings: See `Settings`; ``steps`` is required.

    Returns:
        The model, with the moving average as its weights if there is one.

    Raises:
        TrainingError: If the loss is not finite; says at which step and what is kept.
        InputError: If the settings make no sense, ``out`` holds a run with other ones, or another
            run is in it.

    Example:
        >>> defense = rr.create_defense("mine")
        >>> rr.train(denoiser, defense, "photos/", steps=10_000, out="runs/mine")
    """
    check_module(model, "model")
    maker = f"create_defense({repr(defense) if isinstance(defense, str) else 'name'})"
    expected = f"a Defense, such as robust_restoration.{maker} gives"
    check_type("defense", defense, Defense, expected)
    if check_fraction("val_fraction", val_fraction) == 1:
        raise InputError("val_fraction is 1; expected less, so that something is left to train on.")
    if "steps" not in settings:
        raise InputError("train needs steps=...: how many optimizer steps to take.")
    chosen: Settings = call(Settings, "train", (), settings)
    if recipe is None:
        recipe = Recipe()
        with contextlib.suppress(UnknownNameError):  # no plugin in use says what is known
            recipe = verbs.recipe_of(model, defense, data, val_fraction)
    folder = RunFolder(out) if out else None  # before all work, which it must be able to keep
    data, made = defense.prepare(data, model=model, val_fraction=val_fraction, progress=progress)
    validation = validation or made
    run = _Run(model, defense, data, chosen, folder, validation, recipe, log_with)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        run.loop(resume=resume, progress=progress, on_step=on_step)
    return model


class _Run:
    """The state of a run: what a checkpoint holds, and the loop over it."""

    def __init__(
        self,
        model: nn.Module,
        defense: Defense,
        data: TrainingSet,
        settings: Settings,
        folder: RunFolder | None,
        validation: TrainingSet | None,
        recipe: Recipe,
        log_with: Any,
    ) -> None:
        if log_with is None and folder and importlib.util.find_spec("tensorboard"):
            log_with = "tensorboard"
        self.accelerator = accelerator(
            log_with=log_with,
            project_dir=str(folder.path) if folder else None,
        )
        self.log_with = log_with
        leave_at_exit()
        settings.check_machine(self.accelerator)
        self.device = self.accelerator.device
        self.model = model.to(self.device)
        plain = all(p.is_contiguous() for p in model.parameters())
        self.own_format = torch.contiguous_format if plain else torch.channels_last
        self.format = torch.channels_last if settings.channels_last else self.own_format
        self.model = self.model.to(memory_format=self.format)
        self.defense, self.data, self.validation = defense, data, validation
        self.settings, self.folder, self.recipe = settings, folder, recipe
        self.stages = defense.stages(model)
        self.ends = [0, *stage_ends(self.stages, settings.steps)]  # stage k is [k] to [k + 1]
        self.step = 0
        self.waited = 0.0
        self.earlier, self.began = 0.0, time.monotonic()  # seconds of earlier sittings; this one
        main = self.accelerator.is_main_process
        self.curves = Curves(folder.path if folder and main else None, settings.steps)
        self.decay = 0.0
        self.average: AveragedModel | None = None
        if settings.ema:
            self.average = AveragedModel(model, multi_avg_fn=self._follow, use_buffers=True)
            self.average.n_averaged += 1  # the weights that it begins from count as the first
        self.history: list[dict[str, Any]] = []
        self.optimizer: torch.optim.Optimizer | None = None
        # Precision is torch's own here, not Accelerate's: that keeps one precision for a whole
        # process, so that a second training with another one could not begin.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")
        self._loaded_state: dict[int, dict[str, Tensor]] = {}

    def loop(self, *, resume: bool, progress: bool, on_step: OnStep | None) -> None:
        with contextlib.ExitStack() as held:
            if self.folder is not None and self.accelerator.is_main_process:
                held.enter_context(self.folder.locked())
            held.callback(self.model.to, memory_format=self.own_format)
            self._open(resume)
            if self.log_with is not None:
                begun = {"tensorboard": {"purge_step": self.step}}  # drops rows that are drawn anew
                self.accelerator.init_trackers("tensorboard", init_kwargs=begun)
            main = self.accelerator.is_main_process
            with Bar(self.settings.steps, self.step, progress and main) as bar:
                self._steps(bar, on_step)
            for tracker in self.accelerator.trackers:  # end_training would end the processes' group
                tracker.finish()
            self.accelerator.wait_for_everyone()  # or others leave before the checkpoint stands
        if self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()

    def _steps(self, bar: Bar, on_step: OnStep | None) -> None:
        while self.step < self.settings.steps:
            number = next(i for i, end in enumerate(self.ends[1:]) if self.step < end)
            stage = self.stages[number].name
            if self.optimizer is None or self.step == self.ends[number]:
                model = self._enter(number)
            figures = self._one_step(model, number)
            self.step += 1
            bar.update(self.step, stage, figures, self.waited)
            if on_step is not None:
                on_step(self.step, figures)
            every, validation = self.settings.validate_every, {}
            if self.step == self.settings.steps or (every and self.step % every == 0):
                validation = self._validate(stage)
                self.history.append({"step": self.step, "stage": stage, **figures, **validation})
                bar.note(self.history[-1])
            row = self.curves.add(self.step, stage, figures, validation)
            if row is not None and self.log_with is not None:
                shown = {k: v for k, v in row.items() if isinstance(v, float)}
                self.accelerator.log(shown, step=self.step)
            if self.step % self.settings.save_every == 0 or self.step == self.settings.steps:
                self.save()

    def _enter(self, number: int) -> nn.Module:
        """Begin or take up a stage: what is trained, with which optimizer and rate."""
        settings, stage = self.settings, self.stages[number]
        trained = stage.trained(self.model)
        chosen = {id(p) for p in trained}
        for parameter in self.model.parameters():
            parameter.requires_grad_(id(parameter) in chosen)
        lr = settings.lr * stage.lr
        optimizer = self.defense.optimizer(trained, lr)
        if optimizer is None:
            optimizer = torch.optim.Adam(trained, lr=lr, betas=settings.betas)
        start, end = self.ends[number : number + 2]
        age, length = self.step - start, end - start
        if age and self._loaded_state:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": self._loaded_state})
        self._loaded_state = {}
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]  # what LambdaLR multiplies, also in mid-stage
        self.schedule = LambdaLR(optimizer, lambda at: settings.rate(at / length), age - 1)
        if self.accelerator.use_distributed:
            begin_alike(self.model)
        return torch.compile(self.model) if settings.compile else self.model  # type: ignore[return-value]

    def _one_step(self, model: nn.Module, number: int) -> dict[str, float]:
        settings, optimizer = self.settings, self.optimizer
        assert optimizer is not None
        stage, (start, end) = self.stages[number].name, self.ends[number : number + 2]
        age = self.step - start
        rate = optimizer.param_groups[0]["lr"]
        generator = torch.Generator().manual_seed(mix(settings.seed, self.step))
        torch.manual_seed(mix(settings.seed, self.step, self.accelerator.process_index + 1))
        began = time.perf_counter()
        drawn = draw(self.data, self.step, settings.batch_size, settings.seed, generator, stage)
        batch = share_of(drawn, self.accelerator, self.format)
        self.waited += time.perf_counter() - began
        self.model.train()
        optimizer.zero_grad(set_to_none=True)
        step = Step(stage, age / (end - start), generator)
        may_fail = self.format is torch.channels_last
        buffers = [buffer.clone() for buffer in self.model.buffers()] if may_fail else []
        try:
            value, figures = self._backward(model, batch, step)
        except RuntimeError as error:
            if not may_fail or not forbids_channels_last(error):
                raise
            self._give_up_channels_last(buffers)
            return self._one_step(model, number)
        if self.accelerator.use_distributed:
            value = float(self.accelerator.reduce(torch.tensor(value, device=self.device), "mean"))
        if not math.isfinite(value):
            kept = "nothing was kept: give the run a folder with out="
            if self.folder is not None:
                kept = f"the checkpoint in {self.folder.path} is of an earlier step"
            raise TrainingError(
                f"The loss is {value} at step {self.step + 1} (stage {stage!r}, learning rate "
                f"{rate:.2g}, {settings.precision}); {kept}. A lower lr, clip_grad=1 or "
                "precision='fp32' often helps."
            )
        trained = [p for g in optimizer.param_groups for p in g["params"]]
        if self.accelerator.use_distributed:
            average_gradients(trained, self.accelerator)
        if settings.clip_grad:
            self.scaler.unscale_(optimizer)  # the limit is for the gradients themselves
            nn.utils.clip_grad_norm_(trained, settings.clip_grad)
        self.scaler.step(optimizer)
        self.scaler.update()
        self.schedule.step()
        if self.average is not None:
            # A stage's young average follows closely, and forgets the weights it began from.
            self.decay = min(settings.ema, (1 + age) / (10 + age))
            self.average.update_parameters(self.model)
        return {"loss": value, **figures, "lr": rate}

    def _give_up_channels_last(self, buffers: Sequence[Tensor]) -> None:
        """Where a network views its features as rows; ``buffers`` are those before the step."""
        self.format = torch.contiguous_format
        for module in filter(None, (self.model, self.average)):
            module.to(memory_format=self.format)
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)

    @torch.no_grad()
    def _follow(self, averaged: Any, current: Any, count: Any) -> None:
        """The moving average, by the library; whole numbers, such as counters, are copied."""
        if averaged[0].is_floating_point():
            get_ema_multi_avg_fn(self.decay)(averaged, current, count)
        else:
            torch._foreach_copy_(averaged, current)

    def _backward(
        self, model: nn.Module, batch: Batch, step: Step
    ) -> tuple[float, dict[str, float]]:
        """The gradient of a batch's loss, in as many parts as ``accumulate`` says.

        Accelerate's own accumulation counts steps by itself, which a resumed run would have to
        restore, and weighs parts alike: these may be of unequal size.
        """
        total, sums = 0.0, dict[str, float]()
        parts = parts_of(batch, self.settings.accumulate)
        rows = len(next(iter(batch.values())))
        for part in parts:
            weight = len(next(iter(part.values()))) / rows
            with self._autocast():
                loss, figures = self.defense.loss(model, part, step)
            value = float(loss.detach())
            total += weight * value
            for name, figure in figures.items():
                sums[name] = sums.get(name, 0.0) + weight * figure
            if not math.isfinite(value):
                break
            self.scaler.scale(loss * weight if len(parts) > 1 else loss).backward()
        return total, sums

    def _autocast(self) -> torch.autocast:
        dtype = DTYPES[self.settings.precision]
        return torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32)

    def _validate(self, stage: str) -> dict[str, float]:
        if self.validation is None:
            return {}
        model = self.model if self.average is None else self.average.module
        model.eval()
        size, count = self.settings.batch_size, len(self.validation)
        sums: dict[str, float] = {}
        for start in range(0, count, size):
            indices = torch.arange(start, min(start + size, count))
            generator = torch.Generator().manual_seed(mix(self.settings.seed, start))
            batch = self.validation.batch(indices, generator, stage)
            batch = {k: v.to(self.device) for k, v in batch.items()}
            with torch.no_grad(), self._autocast():
                for name, value in self.defense.validate(model, batch, stage).items():
                    sums[name] = sums.get(name, 0.0) + value * len(indices) / count
        return {f"val_{name}": value for name, value in sums.items()}

    def save(self) -> None:
        """Write what people read, then the checkpoint: a kill between them loses no row."""
        if self.folder is None or not self.accelerator.is_main_process:
            return
        self.folder.write_history(self.history)
        self.curves.write(picture=self.step == self.settings.steps)
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.average is not None:
            state = self.average.module.state_dict()
            tensors |= {f"average.{k}": v for k, v in state.items()}
        if self.optimizer is not None:
            for number, state in self.optimizer.state_dict()["state"].items():
                for name, value in state.items():
                    if value is not None:
                        tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
        seconds = self.earlier + time.monotonic() - self.began
        header = {
            "step": str(self.step),
            "seconds": f"{seconds:.1f}",
            "settings": json.dumps(plain(asdict(self.settings))),
            "identity": json.dumps(self._identity),
            "scaler": json.dumps(self.scaler.state_dict()),
            "curves": json.dumps(self.curves.begun()),
        }
        self.folder.save(tensors, header)

    @cached_property
    def _identity(self) -> Any:
        parts = (self.recipe, self.model, self.defense, self.data, self.validation)
        return plain(identity(*parts))

    def _open(self, resume: bool) -> None:
        """Take up the run in the folder, or begin one."""
        if self.folder is None:
            return
        settings = plain(asdict(self.settings))
        if not self.folder.begun():
            if self.accelerator.is_main_process:
                self.folder.begin(settings)
                known = replace(self.recipe, settings=settings)
                with contextlib.suppress(UnknownNameError):  # no plugin in use writes one
                    verbs.write_recipe(known, self.folder.path / FILE)
            return
        if not resume:
            raise InputError(
                f"{self.folder.path} already holds a run; resume it, or choose another folder."
            )
        tensors, header = self.folder.load()
        usual = plain(asdict(Settings(steps=1)))
        self.folder.check(json.loads(header["settings"]), settings, usual)
        before = json.loads(header.get("identity", "{}"))
        self.folder.check_identity(before, self._identity)
        self.step = int(header["step"])
        self.earlier = float(header.get("seconds", 0))
        if header.get("scaler", "{}") != "{}":
            self.scaler.load_state_dict(json.loads(header["scaler"]))
        self.model.load_state_dict(part_of(tensors, "model"))
        if self.average is not None:
            self.average.module.load_state_dict(part_of(tensors, "average"))
        for key, value in part_of(tensors, "optimizer").items():
            number, name = key.split(".")
            self._loaded_state.setdefault(int(number), {})[name] = value
        self.curves.resume(self.step, json.loads(header.get("curves", "{}")))
        self.history = self.folder.history(self.step)
