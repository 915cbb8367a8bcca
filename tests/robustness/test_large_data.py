"""Training on more data than the process may hold in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from robust_restoration_advfilter import pairs as pairs_module
from robust_restoration_advfilter.pairs import AdversarialPairs, make_pairs
from torch import nn

from robust_restoration.data import load_labelled, mapped_images

LIMIT = """
import resource, sys

def limit(more):
    said = open("/proc/self/status").read()
    now = 1024 * int(said.split("VmData:")[1].split()[0])
    resource.setrlimit(resource.RLIMIT_DATA, (now + more, now + more))
"""

# Shards of a made-up set, with as many images as a cache of pairs has, are not attacked but drawn.
PAIRS = LIMIT + """
from pathlib import Path
import torch
from safetensors.torch import save_file
import robust_restoration as rr
import robust_restoration_advfilter.pairs as pairs

folder, shards, side = Path(sys.argv[1]), int(sys.argv[2]), 64
images = torch.randint(0, 256, (pairs.SHARD, 3, side, side), dtype=torch.uint8)
def drawn(classifier, clean, augment, plan, seed):
    generator = torch.Generator().manual_seed(seed)
    copies = clean.repeat(plan["per_image"], 1, 1, 1)
    return {
        "clean": copies,
        "perturbations": torch.randint(-5, 6, copies.shape, generator=generator).half() / 255,
        "epsilons": torch.full((len(copies),), 0.02),
        "log_probabilities": torch.zeros(len(copies), 10),
    }
pairs._attacked = drawn
torch.manual_seed(0)
classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * side * side, 10))
classifier.default_cfg = {"input_size": (3, side, side)}
model = rr.create_purifier("additive", width=0.05)
method = rr.create_defense(
    "advfilter", classifier=classifier, per_image=shards, cache=folder, attack_steps=1
)
rr.train(model, method, images, steps=1, batch_size=4, progress=False)  # makes the set
size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
limit(size // 3)
try:
    torch.zeros(size // 2, dtype=torch.uint8)
    print("no limit")
except RuntimeError:
    rr.train(model, method, images, steps=20, batch_size=4, progress=False)
    print("trained on", size)
"""

FOLDER = LIMIT + """
import torch
import robust_restoration as rr
from robust_restoration.data import mapped_images

mapped_images.IN_MEMORY = 2**20
folder = sys.argv[1]
torch.manual_seed(0)
classifier = torch.nn.Sequential(
    torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 2)
)
size = 700 * 3 * 256 * 256
method = rr.create_defense("madry", steps=1, eps=2 / 255)
rr.train(classifier, method, folder, steps=1, batch_size=4, progress=False)
limit(size * 3 // 5)
try:
    torch.zeros(size, dtype=torch.uint8)
    print("no limit")
except RuntimeError:
    rr.train(classifier, method, folder, steps=20, batch_size=4, progress=False)
    print("trained on", size)
"""


def trained(script: str, *words: object, cache: Path, one_thread: dict[str, str]) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True,
        env={**one_thread, "ROBUST_RESTORATION_CACHE": str(cache)}, timeout=400,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process as Linux does")
def test_pairs_above_the_limit(tmp_path: Path, one_thread: dict[str, str]) -> None:
    said = trained(PAIRS, tmp_path / "pairs", 70, cache=tmp_path, one_thread=one_thread)
    assert said.startswith("trained on")
    assert int(said.split()[-1]) > 200 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process as Linux does")
def test_a_folder_of_labelled_images_above_the_limit(
    tmp_path: Path, one_thread: dict[str, str]
) -> None:
    for number in range(700):
        place = tmp_path / "images" / "ab"[number % 2] / f"{number:03d}.bmp"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (256, 256), (number % 256, 80, 10)).save(place)
    said = trained(FOLDER, tmp_path / "images", cache=tmp_path / "c", one_thread=one_thread)
    assert said.startswith("trained on")


def test_batches_are_bit_equal_to_those_from_memory(
    tiny_classifier: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_module, "SHARD", 10)
    images = torch.randint(0, 256, (25, 3, 32, 32), dtype=torch.uint8)
    stored_pairs = make_pairs(
        tiny_classifier, images, per_image=2, steps=1, cache=tmp_path, progress=False
    )
    memory = AdversarialPairs(
        stored_pairs.clean[:], stored_pairs.perturbations[:], stored_pairs.epsilons,
        stored_pairs.log_probabilities[:], stored_pairs.classifiers, stored_pairs.images,
    )
    which = torch.randperm(50)[:20]
    for a, b in zip(stored_pairs.split(torch.tensor([3, 20])), memory.split(torch.tensor([3, 20])),
                    strict=True):
        assert len(a) == len(b)
        places = which[which < len(a)]
        one, two = (p.batch(places, torch.Generator().manual_seed(0), "filters") for p in (a, b))
        assert all(torch.equal(one[key], two[key]) for key in two)


def test_mapped_images_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBUST_RESTORATION_CACHE", str(tmp_path / "cache"))
    draws = np.random.default_rng(0)
    (tmp_path / "set").mkdir()
    rows = ["file,label"]
    for number in range(6):
        Image.fromarray(draws.integers(0, 256, (20, 24, 3), np.uint8)).save(
            tmp_path / "set" / f"{number}.png"
        )
        rows.append(f"{number}.png,{number % 3}")
    (tmp_path / "set" / "2.png").write_bytes(b"damaged")
    rows.append("missing.png,1")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows))
    memory = load_labelled(tmp_path / "set", size=16)
    assert len(memory) == 5
    monkeypatch.setattr(mapped_images, "IN_MEMORY", 1000)
    for _ in range(2):  # made, and found again
        mapped = load_labelled(tmp_path / "set", size=16)
        assert torch.equal(mapped.images, memory.images)
        assert torch.equal(mapped.labels, memory.labels)
        assert mapped.damaged == memory.damaged
        assert mapped.fingerprint() == memory.fingerprint()
    assert len(list((tmp_path / "cache/images").glob("*.bin"))) == 1
    Image.new("RGB", (20, 24)).save(tmp_path / "set" / "2.png")  # mended: another set
    assert len(load_labelled(tmp_path / "set", size=16)) == 6
