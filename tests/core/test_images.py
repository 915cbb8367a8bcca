"""Checks, reading and writing of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robust_restoration.errors import DataError, InputError
from robust_restoration.images.checks import check_images
from robust_restoration.images.files import read_image, write_image


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (np.zeros((1, 3, 4, 4)), "is a ndarray; expected a torch tensor"),
        (torch.zeros(4, 4), r"shape \(4, 4\); expected \(N, C, H, W\).*x\[None, None\]"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"torch\.uint8.*x\.float\(\) / 255"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), r"x\.float\(\)\."),
        (torch.zeros(0, 3, 4, 4), "holds no image"),
        (torch.zeros(1, 1, 4, 4), r"1 channels.*expected 3.*expand"),
        (torch.full((1, 3, 4, 4), float("nan")), "48 NaN or infinite values"),
        (torch.full((1, 3, 4, 4), float("inf")), "48 NaN or infinite values"),
        (torch.full((1, 3, 4, 4), 1.5), r"from 1\.5 to 1\.5; expected \[0, 1\]"),
        (torch.full((1, 3, 4, 4), -0.1), r"from -0\.1"),
    ],
)
def test_bad_images(bad: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_images(bad, "x", channels=3)  # type: ignore[arg-type]


def test_good_images() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        check_images(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).to(dtype))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_round_trip(tmp_path: Path, images: Tensor, suffix: str, channels: int) -> None:
    image = images[0][:channels]
    write_image(image, tmp_path / f"a{suffix}")
    back = read_image(tmp_path / f"a{suffix}")
    bound = 0.15 if suffix in (".jpg", ".webp") else 0.5 / 255 + 1e-6
    back = back[:channels] if suffix == ".webp" else back  # WebP is always colour
    assert back.shape == image.shape
    assert (back - image).abs().mean() < bound
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a{suffix}"]


def test_sixteen_bits_palette_and_transparency(tmp_path: Path) -> None:
    values = np.array([[0, 1, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    torch.testing.assert_close(
        read_image(tmp_path / "deep.png")[0], torch.tensor([[0, 1, 32768, 65535]]) / 65535
    )
    Image.new("RGBA", (3, 2), (255, 0, 0, 255)).save(tmp_path / "covered.png")
    assert read_image(tmp_path / "covered.png").shape == (3, 2, 3)
    for mode, colour in (("RGBA", (255, 0, 0, 10)), ("LA", (9, 254))):
        Image.new(mode, (3, 2), colour).save(tmp_path / "clear.png")
        with pytest.raises(DataError, match=r"clear\.png is transparent in places"):
            read_image(tmp_path / "clear.png")
    Image.new("P", (3, 2)).save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").shape == (3, 2, 3)


def test_damaged_and_missing(tmp_path: Path, images: Tensor) -> None:
    write_image(images[0], tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    for name, content in (("cut.png", whole[: len(whole) // 2]), ("text.png", b"no image")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} is damaged or not an image"):
            read_image(tmp_path / name)
    with pytest.raises(DataError, match="There is no file"):
        read_image(tmp_path / "none.png")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write_image(images[0], path)
    before = path.read_bytes()

    def full(self: object, target: Path, **_: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        write_image(images[1], path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_unknown_suffix(tmp_path: Path, images: Tensor) -> None:
    with pytest.raises(InputError, match=r"Cannot write 'a\.xyz'"):
        write_image(images[0], tmp_path / "a.xyz")


def _tiff(
    path: Path, bits: int, photometric: int, *, samples: int = 1, planar: int = 1, sign: int = 1
) -> None:
    """A TIFF of 4x4 pixels, which Pillow itself would not write so."""
    import struct

    plane = np.arange(16, dtype="<u2") * 4000 if bits == 16 else np.arange(16, dtype=np.uint8)
    data, head, wide = plane.tobytes(), 8 + 2 + 12 * 11 + 4, [samples] * (samples > 1)
    lists = struct.pack(f"<{3 * samples}H", *[bits] * samples, *[sign] * samples, *[0] * samples)
    strips = head + len(lists)
    places = [strips + i * len(data) for i in range(samples)] if planar == 2 else [strips]
    tables = struct.pack(f"<{len(places)}I", *places)
    sizes = struct.pack(f"<{len(places)}I", *[len(data)] * len(places))
    start = strips
    places = [place + len(tables) + len(sizes) for place in places]
    tables = struct.pack(f"<{len(places)}I", *places)
    several = len(places) > 1
    size = len(data) * (1 if planar == 2 else samples)
    entries = [
        (256, 3, 1, 4), (257, 3, 1, 4),
        (258, 3, samples, head if wide else bits), (259, 3, 1, 1), (262, 3, 1, photometric),
        (273, 4, len(places), start if several else places[0]), (277, 3, 1, samples),
        (278, 3, 1, 4), (279, 4, len(places), start + len(tables) if several else size),
        (284, 3, 1, planar), (339, 3, samples, head + 2 * samples if wide else sign),
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    body = b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0)
    path.write_bytes(body + lists + tables + sizes + data * samples)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"bits": 16, "photometric": 1}, None),
        ({"bits": 16, "photometric": 0}, "a negative of more than 8 bits"),
        ({"bits": 16, "photometric": 1, "sign": 2}, "signed numbers of more than 8 bits"),
        ({"bits": 16, "photometric": 2, "samples": 3}, "16 bits a channel"),
        ({"bits": 16, "photometric": 2, "samples": 3, "planar": 2}, "16 bits a channel"),
        ({"bits": 16, "photometric": 5, "samples": 4}, "16 bits a channel"),
        ({"bits": 8, "photometric": 2, "samples": 3, "planar": 2}, None),
    ],
)
def test_tiffs_are_read_as_they_are_meant_or_not_at_all(
    tmp_path: Path, options: dict[str, int], sentence: str | None
) -> None:
    _tiff(tmp_path / "a.tif", **options)
    if sentence is not None:
        with pytest.raises(DataError, match=sentence):
            read_image(tmp_path / "a.tif")
        return
    top, scale = (4000, 65535) if options["bits"] == 16 else (1, 255)
    expected = torch.arange(16).view(1, 4, 4).float() * top / scale
    found = read_image(tmp_path / "a.tif")
    assert torch.allclose(found, expected.expand_as(found), atol=1e-6)


@pytest.mark.parametrize("format", ["EPS", "PPM", "GIF"])
def test_what_is_called_otherwise_meets_no_other_decoder(tmp_path: Path, format: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", format=format)
    with pytest.raises(DataError, match=r"a\.png is damaged or not an image"):
        read_image(tmp_path / "a.png")
