"""Images to restore: from folders, files and tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robust_restoration.data import LabelledImages, RestorationImages, load_images
from robust_restoration.errors import DataError, InputError
from robust_restoration.images.files import read_image, write_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Colour images of several sizes, in natural order 2, 10, deep/1."""
    folder = tmp_path / "pictures"
    for name, size in (("img10.png", (9, 12)), ("img2.png", (8, 8)), ("inner/img1.jpg", (16, 7))):
        write_image(torch.rand(3, *size), folder / name)
    return folder


def test_a_folder_is_searched_to_the_bottom_in_natural_order(folder: Path) -> None:
    write_image(torch.rand(3, 4, 4), folder / ".trash" / "old.png")
    write_image(torch.rand(3, 4, 4), folder / "img2.strip.png")  # a picture for people
    (folder / "notes.txt").write_text("no image")
    found = load_images(folder)
    assert found.name == "pictures"
    assert found.names == ["img2", "img10", "inner/img1"]
    assert len(found) == 3
    assert not found.damaged
    assert found.noisy is None
    for name, index in (("img2.png", 0), ("inner/img1.jpg", 2)):
        assert torch.equal(found.image(index), read_image(folder / name))
        assert found.clean[index].dtype == torch.uint8
    assert load_images(str(folder), limit=2).names == ["img2", "img10"]


def test_a_single_file(folder: Path) -> None:
    found = load_images(folder / "img10.png")
    assert (found.name, found.names) == ("img10", ["img10"])
    assert found.image(0).shape == (3, 9, 12)


def test_16_bits_are_kept(tmp_path: Path) -> None:
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray((deep // 1000 * 257).astype(np.uint16)).save(tmp_path / "shallow.png")
    found = load_images(tmp_path)
    assert [i.dtype for i in found.clean] == [torch.float32, torch.uint8]
    for index, name in enumerate(found.names):
        assert torch.equal(found.image(index), read_image(tmp_path / f"{name}.png"))


def test_damaged_images_are_named_and_skipped(folder: Path) -> None:
    (folder / "img2.png").write_bytes((folder / "img2.png").read_bytes()[:60])
    Image.fromarray(np.full((4, 4), 7.5, np.float32)).save(folder / "img3.tif")
    found = load_images(folder)
    assert found.names == ["img10", "inner/img1"]
    assert len(found.damaged) == 2
    assert "img2.png is damaged" in found.damaged[0]
    assert "values from 7.5 to 7.5" in found.damaged[1]
    for file in ("img10.png", "inner/img1.jpg"):
        (folder / file).write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 4 images .* could be read"):
        load_images(folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no image"):
        load_images(tmp_path)
    with pytest.raises(DataError, match="There is no data at"):
        load_images(tmp_path / "none")


def test_gray_is_that_of_kornia(photographs: Tensor) -> None:
    from kornia.color import rgb_to_grayscale

    expected = rgb_to_grayscale(photographs)
    exact = load_images(photographs, channels=1)
    torch.testing.assert_close(torch.stack(exact.clean), expected)
    eight = (photographs * 255).round().to(torch.uint8)
    rounded = load_images(eight, channels=1)
    assert rounded.clean[0].dtype == torch.uint8
    found = torch.stack([rounded.image(i) for i in range(len(rounded))])
    difference = (found - rgb_to_grayscale(eight.float() / 255)).abs().max()
    assert difference <= 0.5 / 255 + 1e-6


def test_gray_to_colour_and_back_changes_nothing() -> None:
    gray = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    colour = load_images(gray, channels=3)
    assert torch.equal(colour.clean[0], gray[0].expand(3, -1, -1))
    assert torch.equal(load_images(colour, channels=1).clean[0], gray[0])
    white = load_images(torch.ones(1, 3, 4, 4), channels=1)
    assert float(white.clean[0].max()) <= 1


def test_mixed_channels_need_a_choice(folder: Path) -> None:
    write_image(torch.rand(1, 5, 5), folder / "gray.png")
    with pytest.raises(InputError, match=r"of 1 and of 3 channels; give channels=1"):
        load_images(folder)
    for channels in (1, 3):
        assert {i.shape[0] for i in load_images(folder, channels=channels).clean} == {channels}
    with pytest.raises(InputError, match="channels is 2"):
        load_images(folder, channels=2)
    with pytest.raises(InputError, match="5 channels; only 1"):
        load_images(torch.rand(1, 5, 4, 4), channels=3)


def test_tensors() -> None:
    batch = torch.rand(3, 3, 6, 5)
    found = load_images(batch, limit=2)
    assert (found.names, len(found)) == (["0", "1"], 2)
    assert torch.equal(found.image(1), batch[1])
    assert len(load_images(batch[0])) == 1
    sizes = load_images([torch.rand(1, 4, 4, dtype=torch.float64), torch.rand(1, 7, 3)])
    assert [tuple(i.shape) for i in sizes.clean] == [(1, 4, 4), (1, 7, 3)]
    assert sizes.image(0).dtype == torch.float32
    eight = torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8)
    torch.testing.assert_close(load_images(eight).image(1), eight[1] / 255)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.rand(4, 4), "image 0 is a Tensor of shape"),
        ([torch.rand(1, 3, 4, 4)], "expected a tensor"),
        ([np.zeros((3, 4, 4))], "image 0 is a ndarray"),
        (torch.rand(2, 3, 4, 4) * 255, r"8-bit values in \[0, 255\] become so with / 255"),
        (torch.full((1, 1, 4, 4), float("nan")), "NaN"),
        (torch.ones(1, 1, 4, 4, dtype=torch.int64), "dtype torch.int64"),
        ([], "holds no image"),
        (torch.rand(0, 3, 4, 4), "holds no image"),
        (torch.zeros(1, 3, 0, 4, dtype=torch.uint8), "holds no image"),
        (7, "data is an int"),
    ],
)
def test_what_is_no_image_is_said(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_images(data)  # type: ignore[arg-type]


def test_a_limit_is_at_least_one(folder: Path) -> None:
    with pytest.raises(InputError, match="limit is 0"):
        load_images(folder, limit=0)


def test_labelled_images_lose_their_labels() -> None:
    labelled = LabelledImages(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.arange(3))
    found = load_images(labelled, limit=2, channels=3)
    assert [tuple(i.shape) for i in found.clean] == [(3, 4, 4)] * 2


@pytest.fixture
def pairs() -> RestorationImages:
    clean = list(torch.rand(4, 3, 5, 5))
    noisy = list(torch.rand(4, 3, 5, 5))
    return RestorationImages("pairs", clean, list("abcd"), noisy, ["x.png is damaged."])


def test_images_in_images_out(pairs: RestorationImages) -> None:
    assert load_images(pairs) is pairs
    two = load_images(pairs, limit=2, channels=1)
    assert (two.names, two.damaged) == (["a", "b"], pairs.damaged)
    assert two.noisy_image(1).shape == two.image(1).shape == (1, 5, 5)
    assert pairs.image(0).shape == (3, 5, 5)  # what was given is left alone


@pytest.mark.parametrize("indices", [[3, 1], torch.tensor([3, 1]), slice(3, None, -2)])
def test_subset(pairs: RestorationImages, indices: slice) -> None:
    part = pairs.subset(indices)
    assert part.names == ["d", "b"]
    for new, old in enumerate((3, 1)):
        assert torch.equal(part.image(new), pairs.image(old))
        assert torch.equal(part.noisy_image(new), pairs.noisy_image(old))


def test_fingerprint_follows_the_pixels_alone(pairs: RestorationImages) -> None:
    first = pairs.fingerprint()
    same = RestorationImages("other", pairs.clean, list("wxyz"), pairs.noisy)
    assert same.fingerprint() == first
    assert pairs.subset([1, 0, 2, 3]).fingerprint() != first
    assert RestorationImages("p", pairs.clean, pairs.names).fingerprint() != first
    pairs.noisy[2][1, 1, 1] += 0.01  # type: ignore[index]
    assert pairs.fingerprint() != first


def test_clean_sets_have_no_noise_and_lists_agree(folder: Path) -> None:
    with pytest.raises(InputError, match="holds clean images only"):
        load_images(folder).noisy_image(0)
    with pytest.raises(InputError, match=r"lengths \[1, 2\]"):
        RestorationImages("x", [torch.rand(1, 4, 4)], ["a", "b"])
