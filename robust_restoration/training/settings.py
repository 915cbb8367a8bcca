"""How a run trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robust_restoration.errors import InputError
from robust_restoration.numbers import check_count, check_fraction, check_positive

if TYPE_CHECKING:
    from accelerate import Accelerator

SCHEDULES = ("constant", "linear", "cosine", "steps")
PRECISIONS = ("fp32", "bf16", "fp16")
MOST = 2**20  # images a step


@dataclass
class Settings:
    """How a run trains.

    Attributes:
        steps: Optimizer steps over all stages together.
        batch_size: Images a step, over all processes together.
        lr: The learning rate at the start of each stage.
        betas: Adam's, where the defense brings no optimizer of its own.
        schedule: ``constant``; ``linear`` (to 0 from ``decay_from`` on); ``cosine`` (likewise);
            ``steps`` (times ``gamma`` at each of ``milestones``).
        decay_from: Share of a stage after which the rate falls.
        milestones: Shares of a stage.
        gamma: What the rate is multiplied by at a milestone.
        warmup: Share of a stage over which the rate rises from 0.
        precision: ``fp32``, ``bf16`` or ``fp16`` (the latter on a GPU only).
        channels_last: Memory format of the model and the images, which is faster; it is given up
            where a network views its features as rows, and the model comes back in its own.
        ema: Decay of the moving average of the weights that is validated and kept; 0 for none.
        clip_grad: Largest L2 norm of the gradient; 0 for any.
        accumulate: Parts that a batch is split into, one after the other, so that it fits into
            memory; batch norm sees the parts.
        compile: Run the model through ``torch.compile``.
        seed: Decides initial draws, batches and augmentation.
        save_every: Steps between checkpoints.
        validate_every: Steps between validations; 0 for none but the last.
    """

    steps: int
    batch_size: int = 16
    lr: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: str = "linear"
    decay_from: float = 0.2
    milestones: tuple[float, ...] = (0.4, 2 / 3, 14 / 15)
    gamma: float = 0.2
    warmup: float = 0.0
    precision: str = "fp32"
    channels_last: bool = True
    ema: float = 0.0
    clip_grad: float = 0.0
    accumulate: int = 1
    compile: bool = False
    seed: int = 0
    save_every: int = 200
    validate_every: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        check_count("steps", self.steps)
        check_count("batch_size", self.batch_size, at_most=MOST)
        check_count("accumulate", self.accumulate, at_most=self.batch_size)
        check_count("save_every", self.save_every)
        check_count("validate_every", self.validate_every, at_least=0)
        check_positive("lr", self.lr)
        check_positive("gamma", self.gamma)
        if self.clip_grad:
            check_positive("clip_grad", self.clip_grad)
        check_count("seed", self.seed, at_least=0)
        for name in ("betas", "milestones"):
            value = getattr(self, name)
            if not isinstance(value, tuple | list) or (name == "betas" and len(value) != 2):
                raise InputError(f"{name} is {value!r}; expected numbers in brackets.")
        # A recipe has lists, and whole numbers where Python has floats.
        first, second = (check_fraction("betas", beta) for beta in self.betas)
        self.betas = (first, second)
        self.milestones = tuple(check_fraction("milestones", mark) for mark in self.milestones)
        for name in ("decay_from", "warmup", "ema"):
            setattr(self, name, check_fraction(name, getattr(self, name)))
        for name, words in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in words:
                expected = f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}"
                raise InputError(f"{name} is {getattr(self, name)!r}; expected {expected}.")

    def rate(self, progress: float) -> float:
        """Learning rate at a share of a stage, as a multiple of ``lr``."""
        if progress < self.warmup:
            return progress / self.warmup
        if self.schedule == "steps":
            return float(self.gamma ** sum(progress >= mark for mark in self.milestones))
        if self.schedule == "constant" or progress <= self.decay_from:
            return 1.0
        left = (1 - progress) / max(1 - self.decay_from, 1e-9)
        return left if self.schedule == "linear" else 0.5 - 0.5 * math.cos(math.pi * left)

    def check_machine(self, accelerator: Accelerator) -> None:
        """Refuse what these settings cannot do here.

        Raises:
            InputError: Without a GPU for fp16, beside another precision of Accelerate's, or where
                a batch cannot be dealt out evenly.
        """
        if self.precision == "fp16" and accelerator.device.type == "cpu":
            raise InputError(
                "precision is 'fp16', which needs a GPU; expected 'bf16' or 'fp32' here."
            )
        if accelerator.mixed_precision not in ("no", self.precision):
            raise InputError(
                f"Accelerate was set up with mixed_precision={accelerator.mixed_precision!r}, and "
                f"this training has precision={self.precision!r}: leave the former out."
            )
        if self.batch_size % accelerator.num_processes:
            raise InputError(
                f"batch_size is {self.batch_size} and there are {accelerator.num_processes} "
                "processes; expected a multiple of them, so that the gradient is the mean over the "
                "whole batch."
            )
