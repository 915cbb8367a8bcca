"""Speed and memory of the per-pixel filter, forward and backward, against the usual F.unfold one.

Also against one copy of the kernel maps into fresh memory, which is what the gradient of the maps
alone must write. Then the same from maps at half the size, which is what the purifiers filter by:
``python benchmarks/pixel_filter.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from folders import say_what_is_missing
from robust_restoration_advfilter.pixel_filter import pixel_filter
from robust_restoration_advfilter.upsampled_filter import upsampled_filter
from timing import load, medians, write
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile


def unfolded(images: Tensor, kernels: Tensor) -> Tensor:
    """The same sum through F.unfold."""
    n, c, height, width = images.shape
    size = round((kernels.shape[1] / c) ** 0.5)
    patches = F.unfold(images, size, padding=size // 2).view(n, c, size * size, height, width)
    maps = kernels.view(n, size * size, c, height, width).transpose(1, 2)
    return (patches * maps).sum(dim=2)


def peak_memory(call: Callable[[], object], device: torch.device) -> int:
    """Bytes allocated at most during a call, above what was there before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    live = peak = 0
    for event in record.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


def measure(
    device: torch.device, batch: int, size: int, kernel: int, rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, int], float]:
    """Seconds and ratios as `medians` gives them, peak bytes, and the gradients' share of them."""
    torch.manual_seed(0)
    shape = (batch, 3, size, size)
    images = torch.rand(shape, device=device, requires_grad=True)
    channels = kernel**2 * 3
    kernels = torch.randn(batch, channels, *shape[2:], device=device, requires_grad=True)
    half = torch.randn(batch, 16, size // 2, size // 2, device=device)
    half.requires_grad_(True)
    layer = nn.Conv2d(16, channels, 1).to(device)
    grad = torch.rand(shape, device=device)

    def upsampled_unfolded() -> Tensor:
        maps = F.interpolate(layer(half), scale_factor=2, mode="bilinear")
        return unfolded(images, maps)

    def both(function: Callable[[], Tensor]) -> Callable[[], None]:
        def call() -> None:
            images.grad = kernels.grad = half.grad = None
            layer.zero_grad()
            function().backward(grad)

        return call

    work: dict[str, Callable[[], object]] = {
        "unfold": both(lambda: unfolded(images, kernels)),
        "pixel_filter": both(lambda: pixel_filter(images, kernels)),
        "copy": lambda: kernels.detach().clone(),
        "upsampled unfold": both(upsampled_unfolded),
        "upsampled_filter": both(lambda: upsampled_filter(images, layer(half))),
    }
    times = medians(work, rounds=rounds)
    memory = {}
    for name in work:
        images.grad = kernels.grad = half.grad = None
        memory[name] = peak_memory(work[name], device)
    least = (images.numel() + kernels.numel()) * images.element_size() / memory["unfold"]
    return times, memory, least


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--kernel", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    device = torch.device(given.device)
    times, memory, least = measure(
        device, given.batch, given.size, given.kernel, given.rounds
    )
    ratios = {
        "faster_than_unfold": times["unfold"]["median"] / times["pixel_filter"]["median"],
        "times_a_copy": times["pixel_filter"]["median"] / times["copy"]["median"],
        "memory_of_unfold": memory["pixel_filter"] / memory["unfold"],
        "upsampled_faster_than_unfold":
            times["upsampled unfold"]["median"] / times["upsampled_filter"]["median"],
        "upsampled_times_a_copy": times["upsampled_filter"]["median"] / times["copy"]["median"],
        "upsampled_memory_of_unfold": memory["upsampled_filter"] / memory["upsampled unfold"],
    }
    print(f"{given.batch}x3x{given.size}x{given.size}, K = {given.kernel}, {device}, {load()}")
    for name, row in times.items():
        print(f"  {name:16s} {row['median'] * 1e3:8.1f} ms  ({row['low'] * 1e3:.1f} to "
              f"{row['high'] * 1e3:.1f})  {memory[name] / 1e6:6.0f} MB")
    for name, sort in (("pixel_filter", ""), ("upsampled_filter", "upsampled_")):
        note = f"; the gradients alone are {least:.2f}" if not sort else ""
        print(f"{name}\n"
              f"  {ratios[sort + 'faster_than_unfold']:.2f}x faster than unfold (to hold: 4.5)\n"
              f"  {ratios[sort + 'times_a_copy']:.2f}x the time of one copy of the kernels at full "
              f"size (to hold: 1.8)\n"
              f"  {ratios[sort + 'memory_of_unfold']:.2f} of unfold's peak memory (to hold: 0.25"
              f"{note})")
    print(write("pixel_filter", {"arguments": vars(given), "seconds": times,
                                 "peak_bytes": memory, "ratios": ratios}))


if __name__ == "__main__":
    say_what_is_missing()
    main()
