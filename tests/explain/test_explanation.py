"""explain(): what a purifier does to one image, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from robust_restoration_explain.picture import factor
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.contracts import Inside
from robust_restoration.errors import InputError
from robust_restoration.images.files import read_image, write_image


class _Told(rr.Purifier):
    """Multiplies by 0.9, and says so."""

    def forward(self, images: Tensor) -> Tensor:
        return 0.9 * images

    def inside(self, images: Tensor, pixels: object = ()) -> Inside:
        return Inside({"mean": images.mean(dim=1, keepdim=True)})


def test_it_says_what_purifier_and_classifier_say(
    tiny_classifier: nn.Module, images: Tensor
) -> None:
    made = rr.create_purifier("advfilter", weights="general-32")
    found = rr.explain(tiny_classifier, images[0], purifier=made, top=3)
    torch.testing.assert_close(found.purified, made(images)[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(found.change, found.purified - images[0])
    for said, image in ((found.before, images[:1]), (found.after, made(images[:1]))):
        shares = rr.NormalizedClassifier(tiny_classifier)(image)[0].softmax(0)
        assert [name for name, _ in said] == [f"class {n}" for n in shares.topk(3).indices]
        assert [share for _, share in said] == pytest.approx(shares.topk(3).values.tolist())
    assert "before: class" in str(found)


def test_of_the_kernels_that_are_shown_the_purified_pixels_are_made(images: Tensor) -> None:
    made = rr.create_purifier("advfilter", weights="general-32").double()
    images = (images * 255).round().double() / 255
    pixels = [(0, 0), (13, 20), (30, 31)]
    inside = made.inside(images, pixels)
    purified = made.outputs(images)["out"]
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    fused = inside.kernels["fused"]
    assert fused.shape == (len(images), 3, 3, 5, 5)
    for number, (row, column) in enumerate(pixels):
        under = padded[..., row : row + 5, column : column + 5]
        expected = (fused[:, number] * under).sum(dim=(-2, -1))
        torch.testing.assert_close(purified[..., row, column], expected)
    weight = inside.maps["weight of small eps"]
    torch.testing.assert_close(weight, made.outputs(images)["weight"])
    assert [name.split(",")[0] for name in inside.maps][:2] == ["uncertainty"] * 2


@pytest.mark.parametrize("name", ["additive", "filtering", "multi_head"])
def test_others_show_what_they_have(name: str, images: Tensor) -> None:
    found = rr.explain(None, images[0, :, :19, :30], purifier=rr.create_purifier(name))
    assert bool(found.kernels) == (name != "additive") == bool(found.pixels)
    assert all(values.shape == (10, 15) for values in found.maps.values())
    assert found.before == found.after == ()


def test_a_chain_shows_its_members_maps_of_what_reaches_it(images: Tensor) -> None:
    chain = rr.Chain(rr.create_purifier("median"), _Told())
    found = rr.explain(None, images[0], purifier=chain)
    expected = rr.create_purifier("median")(images[:1])[0].mean(0)
    torch.testing.assert_close(found.maps["mean"], expected)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.exhaustive), 3])
def test_a_picture_is_written(channels: int, images: Tensor, tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    purifier = rr.create_purifier("advfilter", channels=channels)
    found = rr.explain(classifier, images[0, :channels], purifier=purifier, top=9)
    found.save(tmp_path / "a.png")
    assert float(read_image(tmp_path / "a.png").std()) > 0.1
    assert found._repr_png_().startswith(b"\x89PNG")
    rr.explain(classifier, images[0, :channels], purifier="median").save(tmp_path / "b.svg")
    assert "<svg" in (tmp_path / "b.svg").read_text()
    with pytest.raises(InputError, match="ending"):
        found.save(tmp_path / "c.text")
    assert {file.name for file in tmp_path.iterdir()} == {"a.png", "b.svg"}


def test_the_factor_lifts_a_difference_to_where_it_is_seen() -> None:
    assert factor(torch.zeros(3, 8, 8)) == 1
    assert factor(torch.full((3, 8, 8), -1 / 255)) == 64
    assert 0.25 < factor(torch.rand(3, 8, 8) * 0.3) * 0.3 <= 0.6


def test_names_of_classes(images: Tensor) -> None:
    class Thousand(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.eye(1000)[:1] * 9

    assert rr.explain(Thousand(), images[0], purifier="median").before[0][0] == "tench"
    names = [f"n{n}" for n in range(1000)]
    named = rr.explain(Thousand(), images[0], purifier="median", names=names)
    assert named.before[0][0] == "n0"
    with pytest.raises(InputError, match="2 names for 1000 classes"):
        rr.explain(Thousand(), images[0], purifier="median", names=["a", "b"])


def test_bad_input(tiny_classifier: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match="holds 4 images; expected one"):
        rr.explain(tiny_classifier, images)
    with pytest.raises(InputError, match="outside the image of 32 rows"):
        rr.explain(tiny_classifier, images[0], pixels=[(3, 32)])
    with pytest.raises(InputError, match=r"expected \(row, column\)"):
        rr.explain(tiny_classifier, images[0], pixels=[3])  # type: ignore[list-item]
    with pytest.raises(InputError, match="not normalised"):
        rr.explain(tiny_classifier, images[0] * 3 - 1)
    with pytest.raises(InputError, match="expected a torch module"):
        rr.explain("resnet18", images[0])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected logits"):
        rr.explain(nn.Conv2d(3, 3, 3), images[0], purifier="median")


def test_the_command_writes_pictures_beside_the_images(
    run: Callable[..., tuple[int, str, str]],
    images: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(images[0], tmp_path / "photo.png")
    (tmp_path / "zz_mine.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    words = ("purify", "photo.png", "-o", "out", "--purifier", "median", "--explain")
    status, _, error = run(*words)
    assert (status, "--classifier" in error) == (2, True)
    status, _, error = run(*words, "--classifier", "zz_mine:make")
    assert status == 0, error
    assert {file.name for file in Path("out").iterdir()} == {"photo.png", "photo.png.strip.png"}
