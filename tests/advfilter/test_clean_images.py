"""Images without labels, of any sizes, as squares of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from robust_restoration_advfilter.clean_images import clean_images
from torch import nn

from robust_restoration.data import load_images, mapped_images
from robust_restoration.errors import DataError, InputError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROBUST_RESTORATION_CACHE", str(tmp_path / "cache"))
    draws = np.random.default_rng(0)
    (tmp_path / "photos/inner").mkdir(parents=True)
    for number, (height, width) in enumerate([(40, 60), (64, 32), (33, 48), (32, 32)]):
        place = tmp_path / "photos" / ("inner" if number == 1 else "") / f"{number}.png"
        pixels = draws.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels[..., 0] if number == 2 else pixels).save(place)
    return tmp_path / "photos"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_is_read_one_image_at_a_time_and_mapped_where_it_is_large(
    folder: Path, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = nn.Conv2d(channels, 4, 3)
    classifier.pretrained_cfg = {"input_size": (channels, 32, 32)}
    loaded = load_images(folder, channels=channels)  # all in memory, at their full sizes
    monkeypatch.setattr("robust_restoration.data.load_images", None)
    monkeypatch.setattr("robust_restoration_advfilter.clean_images.load_images", None)
    squares = clean_images(folder, classifier)
    assert squares.shape == (4, channels, 32, 32)
    assert squares.dtype == torch.uint8
    monkeypatch.undo()
    monkeypatch.setenv("ROBUST_RESTORATION_CACHE", str(folder.parent / "cache"))
    assert torch.equal(squares, clean_images(loaded, classifier))
    monkeypatch.setattr(mapped_images, "IN_MEMORY", 1000)
    for _ in range(2):  # made, and found again
        assert torch.equal(clean_images(folder, classifier), squares)
    (kept,) = (folder.parent / "cache/images").glob("*.bin")
    assert kept.stat().st_size == squares.numel()


def test_a_damaged_file_is_named_and_left_out(folder: Path) -> None:
    classifier = nn.Conv2d(3, 4, 3)
    (folder / "0.png").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=r"1 of 4 files in .* are left out, .*0\.png is damaged"):
        assert len(clean_images(folder, classifier, size=16)) == 3


def test_a_folder_of_nothing_and_images_of_several_channels_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        clean_images(tmp_path / "empty", nn.Conv2d(3, 4, 3))
    with pytest.raises(InputError, match=r"have (3 and 1|1 and 3) channels"):
        clean_images(folder, nn.Flatten(), size=16)
