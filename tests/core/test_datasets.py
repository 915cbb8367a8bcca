"""Labelled images from the layouts people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from robust_restoration.data import load_labelled
from robust_restoration.errors import DataError, InputError
from robust_restoration.images.files import write_image


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    for name, shade in (("a", 0.2), ("b", 0.4), ("c", 0.6)):
        write_image(torch.full((3, 20, 30), shade), tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text("file,label\nb.png,7\na.png,3\nc.png,0\n")
    return tmp_path


def test_labels_csv(listed: Path) -> None:
    data = load_labelled(listed)
    assert data.labels.tolist() == [7, 3, 0]
    assert data.images.shape == (3, 3, 20, 30)
    assert data.images.dtype == torch.uint8
    torch.testing.assert_close(data.pixels(slice(0, 1)), torch.full((1, 3, 20, 30), 0.4))
    assert len(load_labelled(listed, limit=2)) == 2
    assert load_labelled(f"csv:{listed}").fingerprint() == data.fingerprint()
    for name in ("ant", "zebra"):  # the table comes before one folder a class
        (listed / name).mkdir()
        write_image(torch.rand(3, 20, 30), listed / name / "1.png")
    assert load_labelled(listed).fingerprint() == data.fingerprint()


def test_one_folder_a_class(tmp_path: Path) -> None:
    for name in ("zebra/1.png", "ant/1.png", "ant/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_image(torch.rand(3, 8, 8), tmp_path / name)
    assert load_labelled(tmp_path).labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 8, 8, 1)])
def test_npz(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(5))
    data = load_labelled(tmp_path / "d.npz", channels=1)
    assert data.images.shape == (5, 1, 8, 8)
    np.testing.assert_array_equal(data.images.numpy().ravel(), x.ravel())
    assert data.name == load_labelled(f"npz:{tmp_path / 'd.npz'}", channels=1).name == "d.npz"


def test_size_and_channels(listed: Path) -> None:
    data = load_labelled(listed, size=16, channels=1)
    assert data.images.shape == (3, 1, 16, 16)
    assert data.images[1].unique().tolist() == [51]


def test_a_damaged_image_is_named_and_skipped(listed: Path) -> None:
    (listed / "a.png").write_bytes(b"broken")
    data = load_labelled(listed)
    assert data.labels.tolist() == [7, 0]
    assert len(data.damaged) == 1
    assert "a.png is damaged" in data.damaged[0]


def test_fingerprint_follows_the_content(listed: Path) -> None:
    data = load_labelled(listed)
    again = load_labelled(listed)
    assert data.fingerprint() == again.fingerprint()
    again.labels[0] = 1
    assert data.fingerprint() != again.fingerprint()


def test_what_is_missing_is_said(tmp_path: Path, listed: Path) -> None:
    with pytest.raises(DataError, match="There is no data at"):
        load_labelled(tmp_path / "none")
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(DataError, match=r"neither a folder nor an \.npz"):
        load_labelled(tmp_path / "file.txt")
    write_image(torch.rand(3, 9, 9), tmp_path / "plain" / "a.png")
    with pytest.raises(DataError, match=r"images without labels: put each class into a folder"):
        load_labelled(tmp_path / "plain")
    write_image(torch.rand(3, 9, 9), tmp_path / "split" / "train" / "ant" / "a.png")
    with pytest.raises(DataError, match=r"holds no split 'test'"):
        load_labelled(tmp_path / "split", split="test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"neither labels\.csv nor one folder"):
        load_labelled(tmp_path / "empty")
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 4, 4)), y=np.zeros(2))
    with pytest.raises(DataError, match="x is float64"):
        load_labelled(tmp_path / "d.npz")
    write_image(torch.rand(3, 9, 9), listed / "a.png")
    with pytest.raises(InputError, match=r"different sizes, such as \("):
        load_labelled(listed)
    (listed / "labels.csv").write_text("name,class\na,b\n")
    with pytest.raises(DataError, match="no columns 'file' and 'label'"):
        load_labelled(listed)
