"""Speed and memory of a step of our attacks, against the least that any such step must do.

    python benchmarks/attack_step.py [--device cuda] [--size 128]

That is a forward pass and the gradient to the input, of the same model on the same images. Beside
it stand torchattacks' PGDL2 and foolbox's L2 PGD with their losses swapped for the squared error.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
import torchattacks
from pixel_filter import peak_memory
from timing import medians, write
from torch import Tensor, nn

import robust_restoration as rr

STEPS = 5
EPS = 5 / 255


def bare(model: nn.Module, noisy: Tensor, clean: Tensor, autocast: torch.dtype | None) -> Tensor:
    """As many forward passes and input gradients as the attacks take, and nothing else."""
    model.requires_grad_(False)
    for _ in range(STEPS):
        images = noisy.detach().requires_grad_()
        with torch.autocast(noisy.device.type, autocast, enabled=autocast is not None):
            restored = model(images)
        loss = (restored.float() - clean).square().sum()
        (gradient,) = torch.autograd.grad(loss, images)
    return gradient


def by_torchattacks(model: nn.Module, noisy: Tensor, clean: Tensor) -> Callable[[], Any]:
    """Their PGDL2, its cross-entropy swapped for the squared error."""
    attack = torchattacks.PGDL2(
        model, eps=EPS * noisy[0].numel() ** 0.5, alpha=0.3 * EPS * noisy[0].numel() ** 0.5,
        steps=STEPS, random_start=False,
    )

    def call() -> Any:
        with mock.patch.object(nn, "CrossEntropyLoss", return_value=nn.MSELoss(reduction="sum")):
            return attack(noisy.clamp(0, 1), clean)

    return call


def by_foolbox(model: nn.Module, noisy: Tensor, clean: Tensor) -> Callable[[], Any] | None:
    """Their L2 PGD, likewise; ``None`` where foolbox is not installed."""
    try:
        import foolbox
    except ImportError:
        return None

    class Squared(foolbox.attacks.L2ProjectedGradientDescentAttack):
        def get_loss_fn(self, model: Any, labels: Any) -> Any:
            def loss(images: Any) -> Any:
                found = (model(images).raw - clean).square().sum()
                return foolbox.attacks.base.ep.astensor(found)

            return loss

    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1))
    attack = Squared(rel_stepsize=0.3, steps=STEPS, random_start=False)
    labels = torch.zeros(len(noisy), dtype=torch.long, device=noisy.device)
    epsilon = EPS * noisy[0].numel() ** 0.5
    return lambda: attack.run(wrapped, noisy.clamp(0, 1), labels, epsilon=epsilon)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    device = torch.device(given.device)
    torch.manual_seed(0)
    model = rr.create_denoiser("dncnn_b").eval().to(device, memory_format=torch.channels_last)
    clean = torch.rand(given.batch, 1, given.size, given.size, device=device)
    noisy = clean + 0.1 * torch.randn_like(clean)
    content: dict[str, Any] = {"shape": list(clean.shape), "steps": STEPS, "ratios": {}}
    for precision, dtype in (("fp32", None), ("bf16", torch.bfloat16)):
        autocast = None if dtype is None else precision
        work: dict[str, Callable[[], Any]] = {
            "bare": lambda dtype=dtype: bare(model, noisy, clean, dtype)
        }
        attacks = {
            "obsatk": {"steps": STEPS},
            "obsatk, no range": {"steps": STEPS, "clip": None},
            "denoising_pgd": {"steps": STEPS, "seed": 0},
            "l2_denoising_pgd": {"steps": STEPS, "seed": 0},
        }
        for name, options in attacks.items():
            attack = rr.create_attack(
                name.split(",")[0], model, eps=EPS, autocast=autocast, **options
            )
            work[name] = lambda attack=attack: attack(noisy, clean)
        if dtype is None:
            work["torchattacks PGDL2"] = by_torchattacks(model, noisy, clean)
            foolbox = by_foolbox(model, noisy, clean)
            if foolbox is not None:
                work["foolbox L2PGD"] = foolbox
        times = medians(work, rounds=given.rounds, warmup=1)
        peaks = {name: peak_memory(call, device) for name, call in work.items()}
        print(f"{precision}, {STEPS} steps on {tuple(clean.shape)}: bare is 1.00")
        for name, seconds in times.items():
            ratio = seconds["median"] / times["bare"]["median"]
            memory = peaks[name] / peaks["bare"]
            content["ratios"][f"{precision} {name}"] = {"time": ratio, "memory": memory}
            spread = [seconds[k] / times["bare"]["median"] for k in ("low", "high")]
            print(
                f"  {name:20s} {ratio:.3f} ({spread[0]:.3f} to {spread[1]:.3f}), "
                f"peak memory {memory:.2f}"
            )
    print(f"Wrote {write('attack_step', content)}.")


if __name__ == "__main__":
    main()
