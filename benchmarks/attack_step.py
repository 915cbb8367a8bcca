"""Speed and memory of a step of our attacks, against the least that any such step must do.

    python benchmarks/attack_step.py [--device cuda] [--size 128]

That is a forward pass and the gradient to the input, of the same model on the same images. Beside
it stand torchattacks' PGDL2 and foolbox's L2 PGD with their losses swapped for the squared error.
A second table has PGD on a ResNet-18 by us, torchattacks, foolbox, ART and adv-lib, where they are
installed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import timm
import torch
import torchattacks
from folders import say_what_is_missing
from pixel_filter import peak_memory
from timing import load, medians, told, write
from torch import Tensor, nn

import robust_restoration as rr

STEPS = 5
EPS = 5 / 255
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


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


def on_a_classifier(device: torch.device, size: int) -> dict[str, Callable[[], Any]]:
    """PGD in L-inf on a ResNet-18 by the libraries that are here; the bare gradients first."""
    torch.manual_seed(0)
    model = timm.create_model("resnet18").eval().requires_grad_(False).to(device)
    model.unit_range = True  # nobody normalises here: all do the same work
    images, steps, alpha = torch.rand(2, 3, size, size, device=device), 5, 2 / 255
    labels = model(images).argmax(dim=1)
    cross_entropy = nn.CrossEntropyLoss(reduction="sum")

    def gradients() -> None:
        for _ in range(steps):
            leaf = images.detach().requires_grad_()
            torch.autograd.grad(cross_entropy(model(leaf), labels), leaf)

    options = {"eps": EPS, "alpha": alpha, "steps": steps, "random_start": False}
    ours = rr.create_attack("torchattacks/pgd", model, **options)
    theirs = torchattacks.PGD(model, **options)
    work: dict[str, Callable[[], Any]] = {
        "bare": gradients,
        "robust_restoration, torchattacks/pgd": lambda: ours(images, labels),
        "torchattacks PGD": lambda: theirs(images, labels),
    }
    if _here("foolbox"):
        import foolbox

        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1))
        linf = foolbox.attacks.LinfPGD(abs_stepsize=alpha, steps=steps, random_start=False)
        work["foolbox LinfPGD"] = lambda: linf.run(wrapped, images, labels, epsilon=EPS)
    if _here("art"):
        from art.attacks.evasion import ProjectedGradientDescentPyTorch
        from art.estimators.classification import PyTorchClassifier

        classifier = PyTorchClassifier(
            model, loss=cross_entropy, input_shape=(3, size, size), nb_classes=1000,
            clip_values=(0, 1), device_type="gpu" if device.type == "cuda" else "cpu",
        )
        art = ProjectedGradientDescentPyTorch(
            classifier, eps=EPS, eps_step=alpha, max_iter=steps, batch_size=2, verbose=False
        )
        arrays = images.cpu().numpy(), labels.cpu().numpy()
        work["ART PGD"] = lambda: art.generate(*arrays)
    with mock.patch.dict(sys.modules, {"visdom": mock.MagicMock()}):  # what adv-lib plots with
        if _here("adv_lib.attacks"):
            from adv_lib.attacks import pgd_linf

            work["adv-lib pgd_linf"] = lambda: pgd_linf(
                model, images, labels, EPS, steps=steps, random_init=False,
                absolute_step_size=alpha,
            )
    return work


def _here(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"Without {module}: {error}.")
        return False
    return True


def measure(
    device: torch.device, batch: int, size: int, rounds: int, precisions: Iterable[str] = PRECISIONS
) -> dict[str, dict[str, dict[str, float]]]:
    """Table to attack to seconds and ratios, as `medians` gives them, and the ``memory`` ratio."""
    torch.manual_seed(0)
    model = rr.create_denoiser("dncnn_b").eval().to(device, memory_format=torch.channels_last)
    clean = torch.rand(batch, 1, size, size, device=device)
    noisy = clean + 0.1 * torch.randn_like(clean)
    tables = {}
    for precision in precisions:
        dtype = PRECISIONS[precision]
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
        tables[f"DnCNN-B, {precision}"] = work
    tables["ResNet-18, fp32"] = on_a_classifier(device, size)
    found = {}
    for table, work in tables.items():
        found[table] = medians(work, rounds=rounds, warmup=1)
        peaks = {name: peak_memory(call, device) for name, call in work.items()}
        for name, row in found[table].items():
            row["memory"] = peaks[name] / peaks["bare"]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    found = measure(torch.device(given.device), given.batch, given.size, given.rounds)
    for table, rows in found.items():
        print(f"{table}, {STEPS} steps, {load()}: bare is 1.00")
        for name, row in rows.items():
            print(f"  {name:36s} {told(row)}, peak memory {row['memory']:.2f}")
    content = {"shape": [given.batch, 1, given.size, given.size], "steps": STEPS, "ratios": found}
    print(f"Wrote {write('attack_step', content)}.")


if __name__ == "__main__":
    say_what_is_missing()
    main()
