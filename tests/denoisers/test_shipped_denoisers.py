"""The denoiser weights that the package ships: they load by name, and do what their cards say."""

import pytest
import torch

import robust_restoration as rr
from robust_restoration.images.files import read_image
from robust_restoration.images.metrics import psnr
from robust_restoration.models.shipped import model_card, shipped

TAGS = [
    (name, tag)
    for name in ("dncnn_b", "dncnn_c")
    for tag, path in shipped("denoisers", name).items()
    if "psnr" in model_card(path)  # the others are for certificates
]


def test_there_are_some():
    assert {tag for name, tag in TAGS if name == "dncnn_b"} >= {"nt", "hat"}


@pytest.mark.parametrize(("name", "tag"), TAGS)
def test_its_card_says_how_it_came_about(name, tag):
    path = shipped("denoisers", name)[tag]
    card = model_card(path)
    assert card["entry"] == name
    assert {"defense", "steps", "batch_size", "seed", "data"} <= card["training"].keys()
    assert card["environment"]["torch"]
    assert path.stat().st_size < 4_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tag"), TAGS)
def test_restores_a_part_of_an_image(name, tag, data_root):
    # What is left of 20.2 dB when the file is another's or a layer is wrong is far below.
    clean = read_image(data_root / "Set12/02.png")[None, :, 64:192, 64:192]
    clean = clean.expand(-1, 3 if name == "dncnn_c" else 1, -1, -1)
    noisy = clean + 25 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    restored = rr.create_denoiser(name, weights=tag)(noisy)
    assert psnr(restored.detach(), clean).item() > 28.5


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "tag"), TAGS)
def test_the_psnr_of_its_card(name, tag, data_root):
    card = model_card(shipped("denoisers", name)[tag])["psnr"]
    result = rr.evaluate(
        rr.create_denoiser(name, weights=tag).to(memory_format=torch.channels_last),
        card["test_set"],
        threats=[],
        metrics=["psnr"],
        sigma=25 / 255,
        root=data_root,
        limit=card["first_images"],
        checks=False,
        progress=False,
    )
    assert result.mean() == pytest.approx(card["sigma 25/255"], abs=0.03)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("tag", ["nt", "vat", "hat"])
def test_what_its_card_says_of_an_attack(tag, data_root):
    card = model_card(shipped("denoisers", "dncnn_b")[tag])["attacked"]
    result = rr.evaluate(
        rr.create_denoiser("dncnn_b", weights=tag).to(memory_format=torch.channels_last),
        card["data"],
        threats={"obsatk": "obsatk"},
        metrics=["psnr"],
        sigma=25 / 255,
        eps=5 / 255,
        within_level=True,
        controls=False,
        root=data_root,
        limit=card["first_images"],
        checks=False,
        progress=False,
    )
    assert result.mean("obsatk") == pytest.approx(card["psnr"]["obsatk 5/255"], abs=0.05)
