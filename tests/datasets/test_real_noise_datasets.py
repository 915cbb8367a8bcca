"""Pairs of real noise: CC, PolyU and SIDD as they are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from robust_restoration.data import load_images
from robust_restoration.errors import DataError
from robust_restoration.images.files import read_image, write_image


def small(path: Path, seed: int = 0, size: tuple[int, int] = (6, 5)) -> None:
    """A small colour image, always the same for a seed."""
    write_image(torch.rand(3, *size, generator=torch.Generator().manual_seed(seed)), path)


def test_pairs_are_matched_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "CC15"
    for seed, name in enumerate(("d10", "d2", "cut", "odd")):
        small(folder / f"{name}_mean.png", seed)
        small(folder / f"{name}_real.png", seed + 100, (7, 5) if name == "odd" else (6, 5))
        small(folder / f"{name}_ours.png", seed + 200)
    small(folder / "alone_real.png")
    small(folder / "single_mean.png")
    (folder / "cut_real.png").write_bytes(b"cut")
    with pytest.warns(UserWarning, match="holds 4 images; cc has 15"):
        found = load_images("CC", root=tmp_path)
    assert found.names == ["d2", "d10"]
    for index, name in enumerate(found.names):
        assert torch.equal(found.image(index), read_image(folder / f"{name}_mean.png"))
        noisy = read_image(folder / f"{name}_real.png")
        assert torch.equal(found.noisy_image(index), noisy)
    assert len(found.damaged) == 4
    text = "\n".join(found.damaged)
    for part in (
        "alone_real.png has no partner alone_mean.png",
        "single_mean.png has no partner single_real.png",
        "cut_real.png is damaged",
        "odd_real.png has shape (3, 7, 5)",
    ):
        assert part in text


def test_polyu_takes_the_cropped_pairs(tmp_path: Path) -> None:
    base = tmp_path / "PolyU-Real-World-Noisy-Images-Dataset"
    for seed, kind in enumerate(("mean", "real", "Real")):
        small(base / "CroppedImages" / f"Canon_{'b' if kind == 'Real' else 'a'}_{kind}.JPG", seed)
    small(base / "CroppedImages" / "Canon_b_mean.JPG", 9)
    for kind in ("mean", "Real"):
        small(base / "OriginalImages" / f"Canon_{kind}.JPG")
    with pytest.warns(UserWarning, match="holds 2 images; polyu has 100"):
        found = load_images("PolyU", root=tmp_path, channels=1)
    assert found.names == ["Canon_a", "Canon_b"]
    assert found.noisy_image(0).shape == (1, 6, 5)
    assert not found.damaged


def write_sidd(folder: Path, noisy: np.ndarray, clean: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    for name, blocks in (("Noisy", noisy), ("Gt", clean)):
        key = f"Validation{name}BlocksSrgb"
        savemat(folder / f"{key}.mat", {key: blocks}, do_compression=True)


@pytest.mark.parametrize("inner", ["SIDD", "."])
def test_sidd_blocks(tmp_path: Path, inner: str) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 4, 5, 3), dtype=np.uint8)
    write_sidd(tmp_path / inner, blocks[0], blocks[1])
    with pytest.warns(UserWarning, match="holds 6 images; sidd has 1280"):
        found = load_images("sidd", root=tmp_path, limit=5)
    assert len(found) == 5
    assert found.names[3] == "0002-01"
    noisy = torch.from_numpy(blocks[0, 1, 0]).permute(2, 0, 1)
    assert torch.equal(found.noisy[3], noisy)  # type: ignore[index]
    assert torch.equal(found.clean[3], torch.from_numpy(blocks[1, 1, 0]).permute(2, 0, 1))


@pytest.mark.filterwarnings("ignore:.*holds:UserWarning")
def test_sidd_that_is_not_whole(tmp_path: Path) -> None:
    blocks = np.zeros((2, 3, 4, 5, 3), np.uint8)
    noisy = tmp_path / "SIDD" / "ValidationNoisyBlocksSrgb.mat"
    write_sidd(tmp_path / "SIDD", blocks, blocks[:1])
    with pytest.raises(DataError, match=r"differ: \(1, 3, 4, 5, 3\) and \(2, 3, 4, 5, 3\)"):
        load_images("sidd", root=tmp_path)
    noisy.write_bytes(noisy.read_bytes()[:200])
    with pytest.raises(DataError, match=r"ValidationNoisyBlocksSrgb\.mat is damaged"):
        load_images("sidd", root=tmp_path)
    savemat(noisy, {"ValidationNoisyBlocksSrgb": blocks[0]})
    with pytest.raises(DataError, match="expected uint8"):
        load_images("sidd", root=tmp_path)
    noisy.unlink()
    with pytest.raises(DataError, match=r"SIDD lacks ValidationNoisyBlocksSrgb\.mat"):
        load_images("sidd", root=tmp_path)
