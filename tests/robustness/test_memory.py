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
from robust_restoration.images.tiling import Tiled
torch.set_num_threads(1)
what, side = sys.argv[1], int(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
denoiser = rr.create_denoiser("dncnn_test").eval()
small = torch.rand(1, 1, 224, 224)
options = {"eps": 5 / 255, "steps": 1, "seed": 0}
rr.create_attack("obsatk", denoiser, **options)(small, small)
before = peak()
clean = torch.rand(1, 1, side, side)
noisy = clean + 0.1
model = Tiled(denoiser)
if what == "restore":
    with torch.no_grad():
        rr.restore(model, noisy)
else:
    rr.create_attack("obsatk", model, **options)(noisy, clean)
print(json.dumps(peak() - before))
"""
LIMIT = 2048  # MB above the import
SIDE = int(os.environ.get("ROBUST_RESTORATION_MEMORY_SIDE", 1024))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["restore", "attack"])
def test_peak_memory(what: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", SCRIPT, what, str(SIDE)]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    grown = json.loads(ended.stdout)
    print(f"{what} {SIDE}x{SIDE}: {grown:.0f} MB above the import")  # noqa: T201
    # Some 30 images in float32, and one tile's activations.
    assert grown < LIMIT * max(SIDE / 4096, 0.15)
