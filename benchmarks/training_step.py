"""Time of a training step of each defense, as a multiple of normal training's.

    python benchmarks/training_step.py [--device cuda] [--batch 128]

A step is the loss and its backward pass, on DnCNN-B and squares of 50x50. Beside our HAT stands a
plain PyTorch loop written straight from the paper: three forward passes, the attack's gradient, one
backward pass.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

import torch
from folders import say_what_is_missing
from timing import load, medians, told, write
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.contracts import Step

EPS = 5 / 255
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


def plain_normal(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Standard training, straight from the paper."""
    return (model(batch["noisy"]) - batch["clean"]).square().sum() / (2 * len(batch["noisy"]))


def plain_hat(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """HAT with one-step ObsAtk, straight from the paper's eq. 5 and Algorithm 1."""
    noisy, clean = batch["noisy"], batch["clean"]
    model.eval()
    delta = torch.zeros_like(noisy, requires_grad=True)
    loss = (model(noisy + delta) - clean).square().sum()
    (gradient,) = torch.autograd.grad(loss, delta)
    radius = EPS * noisy[0].numel() ** 0.5
    step = radius * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    step = step - step.mean((1, 2, 3), keepdim=True)
    attacked = (noisy + step).detach()
    model.train()
    first, second = model(noisy), model(attacked)
    fit, apart = (first - clean).square().sum(), (first - second).square().sum()
    return (fit + apart) / (2 * 2 * len(noisy))


def measure(
    device: torch.device, batch_size: int, rounds: int, precisions: Iterable[str] = PRECISIONS
) -> dict[str, dict[str, dict[str, float]]]:
    """Precision to training to seconds and ratios, as `medians` gives them."""
    torch.manual_seed(0)
    model = rr.create_denoiser("dncnn_b").train().to(device, memory_format=torch.channels_last)
    clean = torch.rand(batch_size, 1, 50, 50)
    generator = torch.Generator().manual_seed(0)
    defenses = {
        "standard": rr.create_defense("standard"),
        "adversarial": rr.create_defense("adversarial"),
        "hat": rr.create_defense("hat"),
        "hat, shared": rr.create_defense("hat", shared=True),
        "typical_set": rr.create_defense("typical_set"),
    }
    batch = {
        name: tensor.to(device)
        for name, tensor in {
            "clean": clean, **defenses["standard"].corrupt(clean, generator)
        }.items()
    }
    found = {}
    for precision in precisions:
        dtype = PRECISIONS[precision]

        def stepped(loss: Callable[[], Tensor], dtype: Any = dtype) -> Callable[[], None]:
            def step() -> None:
                model.zero_grad(set_to_none=True)
                with torch.autocast(device.type, dtype, enabled=dtype is not None):
                    value = loss()
                value.backward()

            return step

        work = {
            name: stepped(lambda d=defense: d.loss(model, batch, Step("train", 0.0, generator))[0])
            for name, defense in defenses.items()
        }
        work["plain normal loop"] = stepped(lambda: plain_normal(model, batch))
        work["plain HAT loop"] = stepped(lambda: plain_hat(model, batch))
        found[precision] = medians(work, rounds=rounds, warmup=1)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    found = measure(torch.device(given.device), given.batch, given.rounds)
    for precision, times in found.items():
        print(f"{precision}, {given.batch} squares of 50x50, DnCNN-B: normal is 1.00, {load()}")
        for name, row in times.items():
            print(f"  {name:20s} {told(row)}")
    print(f"Wrote {write('training_step', {'batch': given.batch, 'multiples': found})}.")


if __name__ == "__main__":
    say_what_is_missing()
    main()
