"""Large images: what restoring and attacking them costs does not grow with a network's layers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from robust_restoration_attacks import large, projections
from robust_restoration_denoisers.tiling import Tiled
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

import robust_restoration as rr

# What a process has above its imports, in MB; sides from $ROBUST_RESTORATION_MEMORY_SIDE.
SCRIPT = """
import json, resource, sys
import torch
import robust_restoration as rr
from robust_restoration_denoisers.tiling import Tiled
torch.set_num_threads(1)
what, side = sys.argv[1], int(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
denoiser = rr.create_denoiser("dncnn_test").eval()
before = peak()
clean = torch.rand(1, 1, side, side)
noisy = clean + 0.1
model = Tiled(denoiser)
if what == "restore":
    with torch.no_grad():
        rr.restore(model, noisy)
else:
    rr.create_attack("obsatk_auto", model, eps=5 / 255, steps=3, seed=0)(noisy, clean)
print(json.dumps(peak() - before))
"""
# MB above the import: of one tile, of what torch loads at its first step, and of what the allocator
# keeps; and then as many images in float32 as an attack with momentum holds, the two that it is
# given among them: 1936 MB at 4096x4096 pixels in colour.
FIXED, IMAGES = 400, 8
SIDE = int(os.environ.get("ROBUST_RESTORATION_MEMORY_SIDE", 1024))


@pytest.mark.slow
@pytest.mark.parametrize(
    "what", [pytest.param("restore", marks=pytest.mark.exhaustive), "attack"]
)
def test_peak_memory(what: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", SCRIPT, what, str(SIDE)]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    grown = json.loads(ended.stdout)
    print(f"{what} {SIDE}x{SIDE}: {grown:.0f} MB above the import")  # noqa: T201
    assert grown < FIXED + IMAGES * 4 * (SIDE / 1024) ** 2


class Live(TorchDispatchMode):
    """Inside, how many images' worth of memory large tensors take together at most.

    Attributes:
        peak: In images, those it is told of among them.
    """

    def __init__(self, *images: Tensor) -> None:
        super().__init__()
        self.image, self.peak = images[0].nbytes, 0.0
        self.held: dict[int, tuple[StorageWeakRef, int]] = {}
        for image in images:
            self._note(image)

    def _note(self, value: Any) -> None:
        # Flags of every value count, tiles do not; a view's memory was seen before.
        if isinstance(value, Tensor) and value.nbytes >= self.image / 5:
            there = StorageWeakRef(value.untyped_storage())
            self.held[there.cdata] = there, value.untyped_storage().nbytes()
            self.held = {key: held for key, held in self.held.items() if not held[0].expired()}
            total = sum(size for _, size in self.held.values())
            self.peak = max(self.peak, total / self.image)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for value in made if isinstance(made, tuple | list) else [made]:
            self._note(value)
        return made


@pytest.mark.parametrize(
    ("name", "options", "images"),
    [
        pytest.param("obsatk_auto", {}, 8.0, marks=pytest.mark.slow),
        ("obsatk_auto", {"restarts": 2, "clip": None}, 9.0),
        ("denoising_pgd_auto", {}, 8.0),
        ("restoration_ensemble", {"queries": 3, "clip": None}, 9.0),
    ],
    ids=str,
)
def test_attacks_hold_few_copies_of_an_image(
    name: str, options: dict[str, Any], images: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "PIECE", 2**11)
    for rounds in ("ROUNDS", "HALVINGS"):  # how near a projection comes is not asked here
        monkeypatch.setattr(projections, rounds, 2)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(1, 3, 96, 96, generator=generator)
    noisy = clean + 0.05 * torch.randn(clean.shape, generator=generator)
    model = Tiled(nn.Conv2d(3, 3, 1), tile=32, overlap=0).requires_grad_(False)
    monkeypatch.setattr(Tiled, "_kept", lambda *_: 1)  # which it would find on a larger image
    attack = rr.create_attack(name, model, eps=5 / 255, steps=3, seed=0, **options)
    with Live(noisy, clean) as live:
        attack(noisy, clean)
    assert live.peak <= images


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_only_of_large_images_is_memory_given_back_and_where_it_can_be(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Library:
        def __init__(self, name: None) -> None:
            pass

        def malloc_trim(self, pad: int) -> int:
            asked.append(pad)
            raise error  # as where the system has no such function

    monkeypatch.setattr("ctypes.CDLL", Library)
    large.give_back(torch.empty(1, 3, 64, 64))
    assert not asked
    large.give_back(torch.empty(large.LARGE // 4))
    assert asked == [0]
