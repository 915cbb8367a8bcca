"""Files in, files out: names that do not collide, odd files, depths and colours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from robust_restoration_files.apply import apply, attack_files, denoise_files, purify_files
from robust_restoration_files.classifier_word import find_classifier
from robust_restoration_files.find_images import find_images
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError
from robust_restoration.images.files import read_image, write_image


def same(image: Tensor, number: int, target: Path) -> Tensor:
    return image


def picture(path: Path, channels: int = 3, seed: int = 0) -> None:
    write_image(torch.rand(channels, 9, 12, generator=torch.Generator().manual_seed(seed)), path)


class Gray(rr.Denoiser):
    """A blind denoiser of gray images, which attacks can do something to."""

    channels = 1

    def forward(self, observed: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        assert observed.shape[1] == 1
        return 0.9 * observed


class Colour(Gray):
    channels = 3

    def forward(self, observed: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        assert observed.shape[1] == 3
        return 0.9 * observed


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_names_do_not_collide(tmp_path: Path) -> None:
    for folder in ("one/photos", "two/photos"):
        picture(tmp_path / folder / "a.png")
    picture(tmp_path / "a.jpg")
    given = [tmp_path / "one/photos/a.png", tmp_path / "two/photos/a.png", tmp_path / "a.jpg"]
    done = attack_files(given, tmp_path / "out", Gray(), attack="obsatk", progress=False)
    assert len(done["written"]) == 3
    names = [str(r) for _, r in find_images([*given, tmp_path / "one/photos/a.png"])]
    assert names == ["a.png", "photos/a.png", "a.jpg"]
    assert files(tmp_path / "out") == sorted(
        f"{name}{ending}" for name in names for ending in ("", ".npz", ".strip.png")
    )
    third = tmp_path / "three/two/photos/a.png"
    picture(third)
    names = [str(r) for _, r in find_images([*given[:2], third])]
    assert names == ["a.png", "photos/a.png", "two/photos/a.png"]


def test_odd_files_are_named_and_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    picture(folder / "good.png")
    picture(folder / "folder.png" / "inner.png")
    picture(folder / ".hidden.png")
    picture(folder / ".hidden" / "a.png")
    picture(folder / "good.png.strip.png")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:60])
    os.mkfifo(folder / "pipe.png")
    (folder / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    Image.new("L", (3000, 3000)).save(folder / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    done = apply(find_images([folder]), out, same, progress=False)
    assert files(out) == ["folder.png/inner.png", "good.png"]
    text = "\n".join(done["damaged"])
    assert len(done["damaged"]) == 5, text
    for part in (
        "folder.png is not a file but a folder",
        "cut.png is damaged",
        "pipe.png is not a file",
        "dangling.png is a link to a file that does not exist",
        "bomb.png is larger than Pillow trusts",
    ):
        assert part in text
    assert not list(out.rglob(".*"))


def test_long_names(tmp_path: Path) -> None:
    name = "a" * 251 + ".png"
    picture(tmp_path / "in" / name)
    picture(tmp_path / "in" / "b.png")
    done = denoise_files([tmp_path / "in"], tmp_path / "out", Gray(), progress=False)
    assert len(done["written"]) == 2
    done = attack_files(
        [tmp_path / "in"], tmp_path / "attacked", Gray(), attack="obsatk", progress=False
    )
    assert [Path(p).name for p in done["written"]] == ["b.png"]
    assert "too long a name" in done["damaged"][0]


def test_pictures_are_upright(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    done = apply(find_images([tmp_path / "a.png"]), tmp_path / "out", same, progress=False)
    expected = np.rot90(pixels, -1).transpose(2, 0, 1).copy()
    found = read_image(done["written"][0]) * 255
    assert torch.equal(found.round().to(torch.uint8), torch.from_numpy(expected))


def test_16_bits_are_kept_or_refused(tmp_path: Path) -> None:
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    for suffix in (".png", ".tif"):
        Image.fromarray(deep).save(tmp_path / f"deep{suffix}")
    both = find_images([tmp_path / "deep.png", tmp_path / "deep.tif"])
    done = apply(both, tmp_path / "out", same, progress=False)
    for path in done["written"]:
        np.testing.assert_array_equal(np.asarray(Image.open(path)), deep)
    colour = tmp_path / "colour.png"
    _write_deep_colour(colour)
    picture(tmp_path / "shallow.png")
    both = find_images([colour, tmp_path / "shallow.png"])
    done = apply(both, tmp_path / "out", same, progress=False)
    assert "16 bits a channel in colour" in done["damaged"][0]


def _write_deep_colour(path: Path) -> None:
    """A PNG of one pixel, three channels of 16 bits."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">HHH", 1, 1000, 65535))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("denoiser", [Gray(), Colour()], ids=["gray", "colour"])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_rule_for_colours(tmp_path: Path, denoiser: rr.Denoiser, channels: int) -> None:
    picture(tmp_path / "a.png", channels)
    image = read_image(tmp_path / "a.png")
    denoise_files([tmp_path / "a.png"], tmp_path / "out", denoiser, progress=False)
    restored = read_image(tmp_path / "out/a.png")
    assert restored.shape == image.shape
    assert torch.allclose(restored, 0.9 * image, atol=0.51 / 255)
    attack_files([tmp_path / "a.png"], tmp_path / "out2", denoiser, attack="obsatk",
                 attack_options={"eps": 5 / 255}, progress=False)
    wide = max(channels, denoiser.channels or 0)
    with np.load(tmp_path / "out2/a.png.npz") as arrays:
        assert {arrays[n].shape[0] for n in ("clean", "noisy", "attacked")} == {wide}
        size = np.sqrt(((arrays["attacked"] - arrays["noisy"]) ** 2).mean())
        assert size == pytest.approx(5 / 255, rel=0.1)
    assert read_image(tmp_path / "out2/a.png").shape[0] == wide

    class Purifier(rr.Purifier):
        channels = denoiser.channels

        def forward(self, images: Tensor) -> Tensor:
            return denoiser(images)

    purify_files([tmp_path / "a.png"], tmp_path / "o3", purifier=Purifier(), progress=False)
    assert torch.equal(read_image(tmp_path / "o3/a.png"), restored)


def test_files_get_noise_of_their_own(tmp_path: Path) -> None:
    for name in "ab":
        write_image(torch.full((1, 16, 16), 0.5), tmp_path / f"{name}.png")
    attack_files([tmp_path], tmp_path / "out", Gray(), attack="obsatk", progress=False)
    first, second = (np.load(tmp_path / f"out/{name}.png.npz")["noisy"] for name in "ab")
    assert abs(np.corrcoef((first - 0.5).ravel(), (second - 0.5).ravel())[0, 1]) < 0.3


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    class Small(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            if images.shape[-1] > 12:
                raise rr.InputError("images are too wide")
            return images

    write_image(torch.rand(3, 9, 20), tmp_path / "wide.png")
    with pytest.raises(rr.InputError, match="too wide"):
        denoise_files([tmp_path], tmp_path / "out", Small(), progress=False)
    picture(tmp_path / "fit.png")
    done = denoise_files([tmp_path], tmp_path / "out", Small(), progress=False)
    assert len(done["written"]) == 1
    assert "wide.png: images are too wide" in done["damaged"][0]


def test_the_usual_denoiser_and_attack(run, tmp_path: Path) -> None:
    write_image(torch.full((1, 24, 24), 0.5), tmp_path / "in/a.png")
    status, _, err = run("denoise", tmp_path / "in", "-o", tmp_path / "out")
    assert status == 0, err
    assert "untrained" not in err
    assert "whatever made it" not in err
    status, _, err = run("denoise", tmp_path / "in", "-o", tmp_path / "out", "--sigma", 9)
    assert (status, "0 restored" in err, "whatever made it; --overwrite" in err) == (0, True, True)
    status, _, err = run(
        "attack", tmp_path / "in", "-o", tmp_path / "attacked", "--set", "steps=1", "--eps", "3"
    )
    assert status == 0, err
    status, _, err = run(
        "attack", tmp_path / "in", "-o", tmp_path / "more", "--attack", "obsatk steps=1 alpha=2"
    )
    assert status == 0, err
    (tmp_path / "in/bad.png").mkdir()
    status, _, err = run("denoise", tmp_path / "in", "-o", tmp_path / "out2")
    assert status == 1
    assert "1 restored" in err


def test_links_that_lead_to_each_other_are_named(tmp_path: Path) -> None:
    picture(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").symlink_to(tmp_path / "in/b.png")
    done = apply(find_images([tmp_path / "in"]), tmp_path / "out", same, progress=False)
    assert [Path(path).name for path in done["written"]] == ["a.png"]
    assert "b.png" in done["damaged"][0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"loss": "sum"}, "loss is 'sum'; expected a function"), ({"model": 5}, "'model' is no opt")],
)
def test_words_that_an_attack_cannot_take(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=sentence):
        attack_files([tmp_path / "a.png"], tmp_path / "out", Gray(), attack="obsatk",
                     attack_options=options, progress=False)


def test_a_classifier_word_is_a_name_of_weights_or_what_evaluate_takes(tmp_path, monkeypatch):
    """Any word was taken, and one that is misspelt in silence."""
    (tmp_path / "mymodule.py").write_text("from torch import nn\ndef make(): return nn.Flatten()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_classifier("resnet20_cifar10", "resunet") == "resnet20_cifar10"  # filed under it
    assert find_classifier("timm:resnet18.a1_in1k", None) == "resnet18.a1_in1k"  # not loaded
    assert isinstance(find_classifier("mymodule:make", None), nn.Flatten)
    with pytest.raises(InputError, match=r"filed under.*Did you mean 'resnet20_cifar10'"):
        find_classifier("resnet20_cifar", "resunet")
