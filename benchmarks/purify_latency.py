"""What purifying costs, as a share of the classifier's forward pass on the same images.

224x224 pixels before a ResNet-50; with ``--side 32`` what is shipped for CIFAR-10 before ResNet-20.

Beside our purifiers stands what a user would put there instead: kornia's median and JPEG, Pillow's
JPEG, and the Noise2Noise U-Net, a denoiser of the kind that HGD is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import kornia
import timm
import torch
from classifiers import resnet20_cifar10
from folders import say_what_is_missing
from timing import load, medians, told, write

from robust_restoration.models.create import create_denoiser, create_purifier


def small() -> dict[str, torch.nn.Module]:
    """Before CIFAR-10's ResNet-20."""
    return {
        "resnet20": resnet20_cifar10(),
        "advfilter": create_purifier("advfilter", weights="general-32"),
        "resunet": create_purifier("resunet", weights="resnet20_cifar10"),
        "resunet_denoiser": create_denoiser("resunet_denoiser", weights="cifar10-sigma025"),
    }


def large() -> dict[str, torch.nn.Module]:
    """Before a ResNet-50."""
    torch.manual_seed(0)
    nets = {"resnet50": timm.create_model("resnet50")}
    nets |= {n: create_purifier(n, input_bits=8) for n in ("advfilter", "filtering", "additive")}
    nets |= {n: create_purifier(n) for n in ("median", "jpeg")}
    nets |= {
        "kornia median 3x3": kornia.filters.MedianBlur((3, 3)),
        "kornia JPEG 75": create_purifier("jpeg", differentiable=True),
        "Noise2Noise U-Net": create_denoiser("n2n_unet", channels=3),
    }
    return nets


def measure(
    device: str,
    batch: int,
    rounds: int,
    precisions: Iterable[str] = ("float32", "bfloat16"),
    side: int = 224,
) -> dict[str, dict[str, dict[str, float]]]:
    """Precision to net to seconds and ratios to the first, as `medians` gives them."""
    nets = small() if side == 32 else large()
    images = torch.rand(batch, 3, side, side, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    for net in nets.values():
        net.eval().to(device, memory_format=torch.channels_last)
    found = {}
    for precision in precisions:
        enabled = precision == "bfloat16"
        kind = torch.device(device).type
        with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=enabled):
            found[precision] = medians(
                {name: (lambda net=net: net(images)) for name, net in nets.items()}, rounds=rounds
            )
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--side", type=int, default=224, choices=(224, 32))
    given = parser.parse_args()
    found = measure(given.device, given.batch, given.rounds, side=given.side)
    for precision, times in found.items():
        print(f"{given.batch}x3x{given.side}x{given.side}, {given.device}, {precision}, {load()}")
        for name, row in times.items():
            held = (given.side, name) == (224, "advfilter")
            hold = "  (to hold: 0.4 in float32, 0.6 in bfloat16)" if held else ""
            taken = f"{row['median'] * 1e3:8.1f} ms  {told(row)} of {next(iter(times))}"
            print(f"  {name:22s} {taken}{hold}")
    what = "purify_latency" if given.side == 224 else "purify_latency_32"
    print(write(what, {"arguments": vars(given), **found}))


if __name__ == "__main__":
    say_what_is_missing()
    main()
