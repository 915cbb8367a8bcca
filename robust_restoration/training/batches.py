"""Which samples a step draws, and to which stage it belongs: from seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from accelerate import Accelerator
from torch import Generator

from robust_restoration.contracts import Batch, Stage, TrainingSet


def draw(
    data: TrainingSet, step: int, size: int, seed: int, generator: Generator, stage: str
) -> Batch:
    """The batch of a step: shuffled epochs, the same whatever the number of processes.

    Args:
        data: Where it is drawn from.
        step: The step's number, from 0.
        size: How many samples.
        seed: Decides the order of each epoch.
        generator: What the training set draws its augmentation from.
        stage: The stage's name.
    """
    count, first = len(data), step * size
    epochs = range(first // count, (first + size - 1) // count + 1)
    shuffles = [torch.Generator().manual_seed(mix(seed, epoch, -1)) for epoch in epochs]
    order = torch.cat([torch.randperm(count, generator=shuffle) for shuffle in shuffles])
    return data.batch(order[first % count :][:size], generator, stage)


def share_of(batch: Batch, accelerator: Accelerator, layout: torch.memory_format) -> Batch:
    """The rows of a batch that are this process's, on its device, images in the memory format."""
    rank, world = accelerator.process_index, accelerator.num_processes
    moved = {}
    for name, tensor in batch.items():
        part = tensor[rank::world].to(accelerator.device, non_blocking=True)
        if part.ndim == 4:
            part = part.contiguous(memory_format=layout)
        moved[name] = part
    return moved


def parts_of(batch: Batch, count: int) -> list[Batch]:
    """A batch in parts of nearly equal size."""
    count = min(count, *map(len, batch.values()))
    parts = {name: tensor.tensor_split(count) for name, tensor in batch.items()}
    return [{name: each[number] for name, each in parts.items()} for number in range(count)]


def stage_ends(stages: Sequence[Stage], steps: int) -> list[int]:
    """After how many steps each stage ends."""
    done = list(accumulate(stage.share for stage in stages))
    return [round(steps * share / done[-1]) for share in done]


def mix(*numbers: int) -> int:
    """One seed from several numbers."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = ((state ^ (number & 0xFFFFFFFF)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1
