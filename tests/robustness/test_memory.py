"""Large images: what restoring and attacking them costs does not grow with a network's layers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

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
# given among them: 2032 MB at 4096x4096 pixels in colour.
FIXED, IMAGES = 400, 8.5
SIDE = int(os.environ.get("ROBUST_RESTORATION_MEMORY_SIDE", 1024))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["restore", "attack"])
def test_peak_memory(what: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", SCRIPT, what, str(SIDE)]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    grown = json.loads(ended.stdout)
    print(f"{what} {SIDE}x{SIDE}: {grown:.0f} MB above the import")  # noqa: T201
    assert grown < FIXED + IMAGES * 4 * (SIDE / 1024) ** 2
