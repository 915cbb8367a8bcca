"""Labelled sets in the files they are published as, and by name."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from robust_restoration.data import LabelledImages, load_images, load_labelled
from robust_restoration.errors import DataError, InputError
from robust_restoration.images.files import write_image

Arrays = tuple[np.ndarray, np.ndarray]
Write = Callable[[Path, Arrays, str], None]


def made_up(count: int, side: int, channels: int, seed: int = 0) -> Arrays:
    """Images (N, H, W, C) and labels 0 to 9, each of which occurs."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return x, (np.arange(count) % 10).astype(np.uint8)


def write_cifar(root: Path, arrays: Arrays, split: str) -> None:
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(exist_ok=True)
    x, y = arrays
    rows = np.concatenate([y[:, None], x.transpose(0, 3, 1, 2).reshape(len(x), -1)], axis=1)
    if split == "test":
        rows.tofile(folder / "test_batch.bin")
        return
    for number, part in enumerate(np.array_split(rows, 5), start=1):
        part.tofile(folder / f"data_batch_{number}.bin")


def write_svhn(root: Path, arrays: Arrays, split: str) -> None:
    x, y = arrays
    y = np.where(y == 0, 10, y)[:, None]
    content = {"X": x.transpose(1, 2, 3, 0), "y": y}
    savemat(root / f"{split}_32x32.mat", content, do_compression=True)


def write_mnist(root: Path, arrays: Arrays, split: str) -> None:
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    x, y = arrays
    prefix = {"train": "train", "test": "t10k"}[split]
    images = bytes((0, 0, 8, 3)) + struct.pack(">3i", *x.shape[:3]) + x.tobytes()
    labels = bytes((0, 0, 8, 1)) + struct.pack(">i", len(y)) + y.tobytes()
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(images)
    (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def write_npz(root: Path, arrays: Arrays, split: str) -> None:
    (root / "cifar10_subset").mkdir(exist_ok=True)
    np.savez_compressed(root / "cifar10_subset" / f"{split}.npz", x=arrays[0], y=arrays[1])


LAYOUTS = [
    pytest.param("cifar10", write_cifar, 32, 3, id="cifar10"),
    pytest.param("cifar10", write_npz, 32, 3, id="cifar10-npz"),
    pytest.param("svhn", write_svhn, 32, 3, id="svhn"),
    pytest.param("mnist", write_mnist, 28, 1, id="mnist"),
]


@pytest.mark.parametrize(("name", "write", "side", "channels"), LAYOUTS)
def test_published_layouts(
    tmp_path: Path, name: str, write: Write, side: int, channels: int
) -> None:
    arrays = {s: made_up(n, side, channels, n) for s, n in (("train", 25), ("test", 12))}
    for split, (x, y) in arrays.items():
        write(tmp_path, (x, y), split)
    for split, (x, y) in arrays.items():
        data = load_labelled(f"{name.upper()}:{split}", root=tmp_path, channels=channels)
        assert data.name == f"{name}:{split}"
        np.testing.assert_array_equal(data.images.permute(0, 2, 3, 1).numpy(), x)
        assert data.labels.tolist() == y.tolist()
        assert data.labels.dtype == torch.int64
        same = load_labelled(name, split=split, root=tmp_path, channels=channels)
        assert same.fingerprint() == data.fingerprint()
        few = load_labelled(name, split=split, root=tmp_path, channels=channels, limit=3)
        assert torch.equal(few.images, data.images[:3])
        unlabelled = load_images(f"{name}:{split}", root=tmp_path)
        assert torch.equal(torch.stack(unlabelled.clean), data.images)


def test_a_folder_of_published_files_needs_no_name(tmp_path: Path) -> None:
    arrays = made_up(10, 32, 3)
    write_cifar(tmp_path, arrays, "train")
    data = load_labelled(tmp_path / "cifar-10-batches-bin", split="train")
    assert data.labels.tolist() == arrays[1].tolist()
    with pytest.raises(DataError, match=r"holds splits: give split='train'"):
        load_labelled(tmp_path / "cifar-10-batches-bin")
    with pytest.raises(DataError, match="holds no split 'test'"):
        load_labelled(tmp_path / "cifar-10-batches-bin", split="test")


def test_the_split_is_chosen_never_guessed(tmp_path: Path) -> None:
    write_cifar(tmp_path, made_up(10, 32, 3), "test")
    with pytest.raises(InputError, match="choose cifar10:train or cifar10:test"):
        load_labelled("cifar10", root=tmp_path)
    with pytest.raises(InputError, match=r"no split 'tets'. Did you mean 'test'"):
        load_labelled("cifar10:tets", root=tmp_path)
    with pytest.raises(InputError, match=r"no split 'tets'. Did you mean 'test'"):
        load_labelled("cifar10", split="tets", root=tmp_path)
    with pytest.raises(InputError, match="contradict"):
        load_labelled("cifar10:test", split="train", root=tmp_path)
    with pytest.raises(InputError, match=r"neurips2017_dev has no split 'test'. It has no splits"):
        load_labelled("neurips2017_dev", split="test", root=tmp_path)


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    for data in ("cifar10:train", folder):
        with pytest.raises(DataError, match=r"pickles, which can run code.*cifar-10-binary"):
            load_labelled(data, root=tmp_path)


def test_the_missing_file_is_named(tmp_path: Path) -> None:
    write_cifar(tmp_path, made_up(10, 32, 3), "train")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"cifar-10-batches-bin lacks data_batch_4\.bin"):
        load_labelled("cifar10:train", root=tmp_path)
    with pytest.raises(DataError, match=r"looked for test_32x32\.mat in SVHN/ or .*stanford"):
        load_labelled("svhn:test", root=tmp_path)


@pytest.mark.parametrize(("name", "write", "side", "channels"), LAYOUTS)
def test_damaged_files_are_said_to_be_so(
    tmp_path: Path, name: str, write: Write, side: int, channels: int
) -> None:
    write(tmp_path, made_up(10, side, channels), "test")
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    for file in files:
        whole = file.read_bytes()
        for broken in (whole[: len(whole) // 2 + 1], b"", b"something else"):
            file.write_bytes(broken)
            with pytest.raises(DataError, match=file.name):
                load_labelled(name, split="test", root=tmp_path, channels=channels)
        file.write_bytes(whole)


@pytest.mark.parametrize("y", [np.eye(4), np.arange(3), np.array(5), np.full(4, 0.5)])
def test_labels_are_one_integer_an_image(tmp_path: Path, y: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", x=made_up(4, 8, 3)[0], y=y)
    with pytest.raises(DataError, match=r"d\.npz (has .*expected one integer|holds no arrays)"):
        load_labelled(tmp_path / "d.npz")
    np.save(tmp_path / "bare.npy", y)
    (tmp_path / "bare.npy").rename(tmp_path / "bare.npz")
    with pytest.raises(DataError, match=r"bare\.npz is damaged or no"):
        load_labelled(tmp_path / "bare.npz")


@pytest.mark.parametrize("layout", ["kaggle", "cleverhans", "subset"])
def test_neurips2017_dev(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / {
        "kaggle": "nips-2017-adversarial-learning-development-set",
        "cleverhans": "nips17_adversarial_competition/dataset",
        "subset": "neurips2017_dev_110",
    }[layout]
    inner = folder if layout == "subset" else folder / "images"
    shades = {"aa": 0.2, "bb": 0.8}
    for name, shade in shades.items():
        write_image(torch.full((3, 8, 8), shade), inner / f"{name}.png")
    if layout == "subset":
        (folder / "labels.csv").write_text("file,label\nbb.png,0\naa.png,999\n")
    else:
        table = "images.csv" if layout == "kaggle" else "dev_dataset.csv"
        (folder / table).write_text("ImageId,URL,TrueLabel\nbb,http://x,1\naa,http://y,1000\n")
    data = load_labelled("NeurIPS2017-dev", root=tmp_path)
    assert data.name == "neurips2017_dev"
    assert data.labels.tolist() == [0, 999]
    assert [round(float(p.mean()), 1) for p in data.pixels(slice(None))] == [0.8, 0.2]


def test_a_published_table_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    for name in ("aa", "bb"):
        write_image(torch.rand(3, 8, 8), tmp_path / "images" / f"{name}.png")
    (tmp_path / "images.csv").write_text("ImageId,TrueLabel\nbb,1\naa,4\n")
    data = load_labelled(tmp_path)  # not one class, named images
    assert data.labels.tolist() == [0, 3]
    assert data.name == tmp_path.name
    (tmp_path / "labels.csv").write_text("file,label\nimages/aa.png,7\n")
    assert load_labelled(tmp_path).labels.tolist() == [7]


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00file,label")
    with pytest.raises(DataError, match=r"labels\.csv is damaged or no CSV"):
        load_labelled(tmp_path)


def test_labels_from_1_start_at_1(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("ImageId,TrueLabel\na,0\n")
    with pytest.raises(DataError, match="has the label 0; expected 1 or more"):
        load_labelled(tmp_path)


def test_a_folder_with_a_subfolder_a_split(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        for name in ("n01", "n02"):
            for number in range(count):
                write_image(torch.rand(3, 8, 8), tmp_path / split / name / f"{number}.png")
    assert load_labelled(tmp_path, split="val").labels.tolist() == [0, 0, 1, 1]
    assert load_labelled(tmp_path, split="train").name == f"{tmp_path.name}:train"
    with pytest.raises(DataError, match="give split='train' or 'val'"):
        load_labelled(tmp_path)


def test_size_and_channels_hold_for_arrays_too(tmp_path: Path) -> None:
    x, y = made_up(4, 32, 3)
    write_npz(tmp_path, (x, y), "test")
    data = load_labelled("cifar10:test", root=tmp_path, size=16, channels=1)
    assert data.images.shape == (4, 1, 16, 16)
    exact = load_labelled("cifar10:test", root=tmp_path, size=32)
    np.testing.assert_array_equal(exact.images.permute(0, 2, 3, 1).numpy(), x)
    again = load_labelled(exact, size=16, channels=1, limit=3)
    assert torch.equal(again.images, data.images[:3])


@pytest.mark.filterwarnings("ignore:.*holds 1 images:UserWarning")
def test_a_set_without_labels_is_no_labelled_set(tmp_path: Path) -> None:
    write_image(torch.rand(1, 4, 4), tmp_path / "Set12" / "1.png")
    with pytest.raises(DataError, match="set12 has no labels"):
        load_labelled("set12", root=tmp_path)


@pytest.mark.parametrize(
    ("name", "count", "shape", "classes"),
    [
        ("cifar10:train", 2330, (3, 32, 32), 10),
        ("cifar10:test", 846, (3, 32, 32), 10),
        ("mnist:test", 10000, (1, 28, 28), 10),
        ("neurips2017_dev", 110, (3, 299, 299), None),
    ],
)
def test_the_real_ones(
    data_root: Path, name: str, count: int, shape: tuple[int, ...], classes: int | None
) -> None:
    data = load_labelled(name, root=data_root, channels=shape[0])
    assert isinstance(data, LabelledImages)
    assert len(data) >= count  # a user's own copy may be whole
    assert tuple(data.images.shape[1:]) == shape
    assert not data.damaged
    if classes:
        assert data.labels.unique().tolist() == list(range(classes))


@pytest.mark.parametrize("count", [6, 40])
def test_labels_of_few_folders_before_many_classes_are_warned_of(count):
    """Six images in two folders went through in silence."""
    images = torch.zeros(count, 3, 4, 4, dtype=torch.uint8)
    two = LabelledImages(images, torch.arange(count) % 2, name="photos")
    with pytest.warns(UserWarning, match="photos has labels from 0 to 1, and the classifier has"):
        two.check_classes(1000)
