"""The check of ways of training."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch, Defense, Stage, Step, TrainingSet

from .rules import difference, rule, state_of


def check_defense(defense: Any, model: nn.Module, data: Any) -> None:
    """Check a way of training against the contract of `Defense`.

    Args:
        defense: The defense.
        model: A small model it can train; it is copied.
        data: A little of the raw data it works on, as `Defense.prepare` takes it.

    Raises:
        ConformanceError: With the first rule it breaks.

    Example:
        >>> check_defense(create_defense("mine"), denoiser, data)
    """
    name = type(defense).__name__
    rule(isinstance(defense, Defense), f"{name} is no robust_restoration.Defense.")
    model = copy.deepcopy(model).train()
    training, _ = defense.prepare(data, model=model, val_fraction=0.0, progress=False)
    rule(
        isinstance(training, TrainingSet) and len(training) > 0,
        f"{name}.prepare() gives {type(training).__name__}; expected a TrainingSet with samples.",
    )
    stages = defense.stages(model)
    rule(
        len(stages) > 0 and all(isinstance(s, Stage) and s.share > 0 for s in stages),
        f"{name}.stages() gives {stages!r}; expected Stages, each with a share above 0.",
    )
    names = [stage.name for stage in stages]
    rule(len(set(names)) == len(names), f"{name}.stages() names a stage twice: {names}.")
    for stage in stages:
        _check_stage(defense, model, training, stage)


def _check_stage(defense: Defense, model: nn.Module, training: TrainingSet, part: Stage) -> None:
    """One stage: what it draws, what it trains, and its loss."""
    name, stage = type(defense).__name__, part.name
    trained = part.trained(model)
    own = {id(parameter) for parameter in model.parameters()}
    rule(
        bool(trained) and all(id(parameter) in own for parameter in trained),
        f"{name}'s stage {stage!r} has parameters that are not parameters of the model.",
    )
    rule(
        len({id(parameter) for parameter in trained}) == len(trained),
        f"{name}'s stage {stage!r} names a parameter twice.",
    )
    for parameter in model.parameters():
        parameter.requires_grad_(any(parameter is chosen for chosen in trained))
    indices = torch.arange(min(4, len(training)))

    def draw(seed: int) -> Batch:
        torch.manual_seed(seed)  # of no account: only the generator is
        return training.batch(indices, Generator().manual_seed(0), stage)

    def loss(batch: Batch) -> tuple[Tensor, dict[str, float]]:
        torch.manual_seed(0)
        return defense.loss(model, batch, Step(stage, 0.0, Generator().manual_seed(0)))

    with torch.random.fork_rng():
        batch, again = draw(1), draw(2)
        rule(
            batch.keys() == again.keys() and all(torch.equal(batch[k], again[k]) for k in batch),
            f"{name}'s training set draws another batch from the same indices and generator.",
        )
        rule(
            all(len(value) == len(indices) for value in batch.values()),
            f"{name}'s training set gives a batch without one row a sample.",
        )
        state = state_of(model)
        kept = copy.deepcopy(batch)
        buffers = {key: value.clone() for key, value in model.named_buffers()}
        total, figures = loss(batch)
        changed = difference(_without_buffers(state), _without_buffers(state_of(model)))
        rule(not changed, f"{name}.loss() leaves {changed} of the model changed.")
        rule(
            all(torch.equal(batch[key], kept[key]) for key in kept),
            f"{name}.loss() changes the batch in place.",
        )
        rule(
            total.shape == () and bool(torch.isfinite(total)),
            f"{name}.loss() gives {total}; expected one finite number.",
        )
        _check_figures(figures, f"{name}.loss()")
        rule(total.requires_grad, f"{name}.loss() of stage {stage!r} carries no gradients.")
        gradients = torch.autograd.grad(total, trained, allow_unused=True)
        rule(
            any(g is not None and bool(g.any()) for g in gradients),
            f"{name}.loss() of stage {stage!r} gives no gradient to what the stage trains.",
        )
        again_total = _with_buffers(model, buffers, lambda: loss(batch)[0])
        rule(
            torch.allclose(total, again_total),
            f"{name}.loss() draws numbers that come neither from its generator nor from torch's.",
        )
        model.eval()
        with torch.no_grad():
            _check_figures(defense.validate(model, batch, stage), f"{name}.validate()")
        model.train()


def _with_buffers(model: nn.Module, buffers: Batch, function: Callable[[], Tensor]) -> Tensor:
    """Call a function with earlier buffers: an attack in eval mode sees the running means."""
    with torch.no_grad():
        for key, value in model.named_buffers():
            value.copy_(buffers[key])
    return function()


def _without_buffers(state: dict[str, Any]) -> dict[str, Any]:
    """Buffers, such as running means, may change in train mode."""
    return {fact: value for fact, value in state.items() if not fact.startswith("buffer ")}


def _check_figures(figures: Any, what: str) -> None:
    rule(
        isinstance(figures, dict)
        and all(isinstance(k, str) and isinstance(v, float) for k, v in figures.items()),
        f"{what} gives {figures!r}; expected names and floats.",
    )
