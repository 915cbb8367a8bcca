"""The one training loop.

A run is a folder: ``settings.json``, ``checkpoint.safetensors`` (weights, their moving average,
the optimizer's state and the step, in one file that is replaced whole), ``history.json`` (figures
at each validation), ``curves.csv`` and ``curves.png``, and ``tensorboard`` where that is installed.
What is drawn at a step depends on the seed and the step alone, so that a killed run continues as if
it had never stopped: to the bit on the same machine with as many threads.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn

from robust_restoration.contracts import Batch, Defense, Denoiser, Stage, TrainingSet
from robust_restoration.errors import InputError, TrainingError
from robust_restoration.files import atomic_path, write_json

from .curves import Curves
from .progress import Bar
from .settings import Settings

M = TypeVar("M", bound=nn.Module)
CHECKPOINT = "checkpoint.safetensors"


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
    on_step: Callable[[int, dict[str, float]], None] | None = None,
    **settings: Any,
) -> M:
    """Train a model.

    Args:
        model: What to train, in place.
        defense: Which parameters in which stage, and the loss.
        data: Where batches are drawn from: a `TrainingSet`, or anything that the defense can make
            one of, such as a data set's name or a folder of images.
        out: The run's folder; ``None`` keeps nothing on disk.
        validation: Held-out samples, taken from the training images.
        val_fraction: The share of the data that is held out where the defense makes the
            training set.
        resume: Continue the run in ``out`` if there is one.
        progress: Show a progress bar with loss and rate.
        on_step: Called after every step with its number and figures.
        **settings: See `Settings`; ``steps`` is required.

    Returns:
        The model, with the moving average as its weights if there is one.

    Raises:
        TrainingError: If the loss is not finite; says at which step and what is kept.
        InputError: If the settings make no sense, or ``out`` holds a run with other ones.
    """
    if "steps" not in settings:
        raise InputError("train needs steps=...: how many optimizer steps to take.")
    if not isinstance(data, TrainingSet):
        if isinstance(data, str | Path) and isinstance(model, Denoiser):
            from robust_restoration.data import load_images

            data = load_images(data, channels=model.channels)
        data, made = defense.prepare(data, val_fraction=val_fraction, progress=progress)
        validation = validation or made
    run = _Run(model, defense, data, Settings(**settings), Path(out) if out else None, validation)
    with torch.random.fork_rng(devices=_cuda_devices()):
        run.loop(resume=resume, progress=progress, on_step=on_step)
    return model


def minutes_trained(metadata: Mapping[str, str]) -> float:
    """How long a run has trained, over all sittings, by its checkpoint's header."""
    return round(float(metadata.get("seconds", 0)) / 60, 1)


def _cuda_devices() -> list[int]:
    return list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []


class _Run:
    """The state of a run: what a checkpoint holds, and the loop over it."""

    def __init__(
        self,
        model: nn.Module,
        defense: Defense,
        data: TrainingSet,
        settings: Settings,
        out: Path | None,
        validation: TrainingSet | None,
    ) -> None:
        precision = {"fp32": "no"}.get(settings.precision, settings.precision)
        if AcceleratorState._shared_state.get("_mixed_precision", precision) != precision:
            AcceleratorState._reset_state()  # or a second run in one process keeps the first's
        # Batch norm's buffers stay each process's own: sent around before every forward pass, they
        # would change under a loss that takes two.
        own_buffers = DistributedDataParallelKwargs(broadcast_buffers=False)
        self.accelerator = Accelerator(mixed_precision=precision, kwargs_handlers=[own_buffers])
        self.model = model.to(self.accelerator.device)
        if settings.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.defense, self.data, self.validation = defense, data, validation
        self.settings, self.out = settings, out
        self.stages = defense.stages(model)
        self.ends = _stage_ends(self.stages, settings.steps)
        self.step = 0
        self.waited = 0.0
        self.earlier, self.began = 0.0, time.monotonic()  # seconds of earlier sittings; this one
        main = self.accelerator.is_main_process
        self.curves = Curves(out if main else None, settings.steps)
        self.average: dict[str, Tensor] = {}
        if settings.ema:
            self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.history: list[dict[str, Any]] = []
        self.optimizer: torch.optim.Optimizer | None = None
        self._loaded_state: dict[str, Any] = {}

    # -- the loop ---------------------------------------------------------------------------

    def loop(
        self,
        *,
        resume: bool,
        progress: bool,
        on_step: Callable[[int, dict[str, float]], None] | None,
    ) -> None:
        self._open(resume)
        bar = Bar(self.settings.steps, self.step, progress and self.accelerator.is_main_process)
        with bar:
            while self.step < self.settings.steps:
                number = next(i for i, end in enumerate(self.ends) if self.step < end)
                stage = self.stages[number].name
                start = self._start(number)
                if self.optimizer is None or self.step == start:
                    wrapped = self._enter(stage)
                figures = self._one_step(wrapped, number)
                self.step += 1
                bar.update(self.step, stage, figures, self.waited)
                if on_step is not None:
                    on_step(self.step, figures)
                every, validation = self.settings.validate_every, {}
                if self.step == self.settings.steps or (every and self.step % every == 0):
                    validation = self._validate(stage)
                    self.history.append(
                        {"step": self.step, "stage": stage, **figures, **validation}
                    )
                    bar.note(self.history[-1])
                self.curves.add(self.step, stage, figures, validation)
                if self.step % self.settings.save_every == 0 or self.step == self.settings.steps:
                    self.save()
        self.accelerator.wait_for_everyone()  # or others leave before the checkpoint stands
        if self.average:
            self.model.load_state_dict(self.average)
        self.model.eval()

    def _enter(self, stage: str) -> nn.Module:
        """Begin or take up a stage: which parameters are trained, and their optimizer."""
        trained = list(self.defense.parameters(self.model, stage))
        chosen = {id(p) for p in trained}
        for parameter in self.model.parameters():
            parameter.requires_grad_(id(parameter) in chosen)
        optimizer = torch.optim.Adam(trained, lr=self.settings.lr, betas=self.settings.betas)
        if self.optimizer is None and self._loaded_state:
            optimizer.load_state_dict(self._loaded_state)
        self._loaded_state = {}
        self.optimizer = optimizer
        model = self.accelerator.prepare_model(self.model) if self._several else self.model
        return torch.compile(model) if self.settings.compile else model  # type: ignore[return-value]

    @property
    def _several(self) -> bool:
        return self.accelerator.num_processes > 1

    def _start(self, number: int) -> int:
        return self.ends[number - 1] if number else 0

    def _one_step(self, model: nn.Module, number: int) -> dict[str, float]:
        settings, optimizer = self.settings, self.optimizer
        assert optimizer is not None
        stage, factor = self.stages[number].name, self.stages[number].lr
        start = self._start(number)
        age = self.step - start
        share = age / (self.ends[number] - start)
        rate = settings.lr * factor * settings.rate(share)
        for group in optimizer.param_groups:
            group["lr"] = rate
        generator = torch.Generator().manual_seed(_mix(settings.seed, self.step))
        torch.manual_seed(_mix(settings.seed, self.step, self.accelerator.process_index + 1))
        began = time.perf_counter()
        batch = self.draw(self.data, self.step, settings.batch_size, generator, stage)
        batch["progress"] = torch.tensor(share, device=self.accelerator.device)
        self.waited += time.perf_counter() - began
        self.model.train()
        optimizer.zero_grad(set_to_none=True)
        value, figures = self._backward(model, batch, stage, generator)
        if self._several:
            value = float(self.accelerator.reduce(torch.tensor(value), "mean"))
        if not math.isfinite(value):
            kept = f"the checkpoint in {self.out} is of an earlier step" if self.out else (
                "nothing was kept: give the run a folder with out="
            )
            raise TrainingError(
                f"The loss is {value} at step {self.step + 1} (stage {stage!r}, learning rate "
                f"{rate:.2g}, {settings.precision}); {kept}. A lower lr, clip_grad=1 or "
                "precision='fp32' often helps."
            )
        if settings.clip_grad:
            self.accelerator.clip_grad_norm_(
                [p for g in optimizer.param_groups for p in g["params"]], settings.clip_grad
            )
        optimizer.step()
        if self.average:
            # A stage's young average follows closely, and forgets the weights it began from.
            decay = min(settings.ema, (1 + age) / (10 + age))
            with torch.no_grad():
                for name, tensor in self.model.state_dict().items():
                    if tensor.is_floating_point():
                        self.average[name].lerp_(tensor, 1 - decay)
                    else:
                        self.average[name].copy_(tensor)
        return {"loss": value, **figures, "lr": rate}

    def _backward(
        self, model: nn.Module, batch: Batch, stage: str, generator: torch.Generator
    ) -> tuple[float, dict[str, float]]:
        """The gradient of a batch's loss, in as many parts as ``accumulate`` says."""
        parts = self.settings.accumulate
        total, sums = 0.0, dict[str, float]()
        for part in _parts(batch, parts):
            weight = len(next(v for v in part.values() if v.ndim)) / len(
                next(v for v in batch.values() if v.ndim)
            )
            with self.accelerator.autocast():
                loss, figures = self.defense.loss(model, part, stage, generator)
            value = float(loss.detach())
            total += weight * value
            for name, figure in figures.items():
                sums[name] = sums.get(name, 0.0) + weight * figure
            if not math.isfinite(value):
                break
            self.accelerator.backward(loss * weight if parts > 1 else loss)
        return total, sums

    def draw(
        self,
        data: TrainingSet,
        step: int,
        size: int,
        generator: torch.Generator,
        stage: str,
    ) -> Batch:
        """The batch of a step: shuffled epochs, the same whatever the number of processes."""
        count = len(data)
        first = step * size
        indices, epoch = [], -1
        for position in range(first, first + size):
            if position // count != epoch:
                epoch = position // count
                order = torch.randperm(
                    count,
                    generator=torch.Generator().manual_seed(_mix(self.settings.seed, epoch, -1)),
                )
            indices.append(order[position % count])
        batch = data.batch(torch.stack(indices), generator, stage)
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        moved = {}
        for name, tensor in batch.items():
            part = tensor[rank::world].to(self.accelerator.device, non_blocking=True)
            if self.settings.channels_last and part.ndim == 4:
                part = part.contiguous(memory_format=torch.channels_last)
            moved[name] = part
        return moved

    def _validate(self, stage: str) -> dict[str, float]:
        if self.validation is None:
            return {}
        kept = None
        if self.average:
            kept = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            self.model.load_state_dict(self.average)
        self.model.eval()
        size, count = self.settings.batch_size, len(self.validation)
        sums: dict[str, float] = {}
        for start in range(0, count, size):
            indices = torch.arange(start, min(start + size, count))
            generator = torch.Generator().manual_seed(_mix(self.settings.seed, start))
            batch = self.validation.batch(indices, generator, stage)
            batch = {k: v.to(self.accelerator.device) for k, v in batch.items()}
            with torch.no_grad(), self.accelerator.autocast():
                for name, value in self.defense.validate(self.model, batch, stage).items():
                    sums[name] = sums.get(name, 0.0) + value * len(indices) / count
        if kept is not None:
            self.model.load_state_dict(kept)
        return {f"val_{name}": value for name, value in sums.items()}

    # -- on disk ----------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint and the history, each whole."""
        if self.out is None or not self.accelerator.is_main_process:
            return
        from safetensors.torch import save_file

        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        if self.optimizer is not None:
            for number, state in self.optimizer.state_dict()["state"].items():
                for name, value in state.items():
                    tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with atomic_path(self.out / CHECKPOINT) as temporary:
            seconds = self.earlier + time.monotonic() - self.began
            save_file(tensors, temporary, {"step": str(self.step), "seconds": f"{seconds:.1f}"})
        write_json(self.out / "history.json", self.history)
        self.curves.write(picture=self.step == self.settings.steps)

    def _open(self, resume: bool) -> None:
        """Take up the run in the folder, or begin one."""
        if self.out is None:
            return
        settings = json.loads(json.dumps(asdict(self.settings)))
        record, checkpoint = self.out / "settings.json", self.out / CHECKPOINT
        if checkpoint.exists() and not resume:
            raise InputError(
                f"{self.out} already holds a run; resume it, or choose another folder."
            )
        if not checkpoint.exists():
            if self.accelerator.is_main_process:
                write_json(record, settings)
            return
        before = json.loads(record.read_text(encoding="utf-8"))
        usual = json.loads(json.dumps(asdict(Settings(steps=1))))
        before = {**usual, **before}  # a run may be older than a setting
        changed = [k for k in settings if settings[k] != before[k] and k != "save_every"]
        if changed:
            raise InputError(
                f"The run in {self.out} was begun with "
                + ", ".join(f"{k}={before.get(k)!r}" for k in changed)
                + "; now it is "
                + ", ".join(f"{k}={settings[k]!r}" for k in changed)
                + ". Use the same settings, or another folder."
            )
        self._load(checkpoint)

    def _load(self, checkpoint: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(checkpoint, "pt") as file:
                self.step = int(file.metadata()["step"])
                self.earlier = float(file.metadata().get("seconds", 0))
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, OSError) as error:
            raise TrainingError(
                f"{checkpoint} is damaged ({error}); remove it to begin anew."
            ) from error
        part = {
            kind: {k[len(kind) + 1 :]: v for k, v in tensors.items() if k.startswith(kind + ".")}
            for kind in ("model", "average", "optimizer")
        }
        self.model.load_state_dict(part["model"])
        if self.average:
            device = self.accelerator.device
            self.average = {k: v.to(device) for k, v in part["average"].items()}
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in part["optimizer"].items():
            number, name = key.split(".")
            states.setdefault(int(number), {})[name] = value
        if states and self.step not in (0, *self.ends):
            number = next(i for i, end in enumerate(self.ends) if self.step < end)
            trained = list(self.defense.parameters(self.model, self.stages[number].name))
            fresh = torch.optim.Adam(trained, lr=self.settings.lr, betas=self.settings.betas)
            self._loaded_state = {**fresh.state_dict(), "state": states}
        self.curves.resume(self.step)
        history = self.out / "history.json" if self.out else None
        if history is not None and history.exists():
            self.history = json.loads(history.read_text(encoding="utf-8"))


def _stage_ends(stages: tuple[Stage, ...], steps: int) -> list[int]:
    total = sum(s.share for s in stages)
    ends, done = [], 0.0
    for stage in stages:
        done += stage.share
        ends.append(round(steps * done / total))
    ends[-1] = steps
    return ends


def _parts(batch: Batch, count: int) -> list[Batch]:
    """A batch in parts of nearly equal size; what is no row a sample goes into each."""
    if count == 1:
        return [batch]
    size = len(next(v for v in batch.values() if v.ndim))
    found = []
    for rows in torch.arange(size).tensor_split(min(count, size)):
        cut = slice(int(rows[0]), int(rows[-1]) + 1)
        found.append({k: v[cut] if v.ndim else v for k, v in batch.items()})
    return found


def _mix(*numbers: int) -> int:
    """One seed from several numbers."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = ((state ^ (number & 0xFFFFFFFF)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1
