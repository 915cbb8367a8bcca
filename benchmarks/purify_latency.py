"""What purifying costs, as a share of a ResNet-50's forward pass on the same 224x224 images."""

from __future__ import annotations

import argparse

import timm
import torch
from timing import medians, write

from robust_restoration.models.create import create_purifier


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    torch.manual_seed(0)
    nets = {"resnet50": timm.create_model("resnet50")}
    nets |= {n: create_purifier(n, input_bits=8) for n in ("advfilter", "filtering", "additive")}
    nets |= {"median": create_purifier("median")}
    images = torch.rand(given.batch, 3, 224, 224, device=given.device)
    images = images.contiguous(memory_format=torch.channels_last)
    for net in nets.values():
        net.eval().to(given.device, memory_format=torch.channels_last)
    report: dict[str, object] = {"arguments": vars(given)}
    kind = torch.device(given.device).type
    for precision, enabled in (("float32", False), ("bfloat16", True)):
        with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=enabled):
            times = medians(
                {name: (lambda net=net: net(images)) for name, net in nets.items()},
                rounds=given.rounds,
            )
        base = times["resnet50"]["median"]
        print(f"{given.batch}x3x224x224, {given.device}, {precision}")
        for name, row in times.items():
            hold = "  (to hold: 0.4 in float32, 0.6 in bfloat16)" if name == "advfilter" else ""
            print(f"  {name:22s} {row['median'] * 1e3:8.1f} ms  {row['median'] / base:.2f} of a "
                  f"ResNet-50{hold}")
        report[precision] = times
    print(write("purify_latency", report))


if __name__ == "__main__":
    main()
