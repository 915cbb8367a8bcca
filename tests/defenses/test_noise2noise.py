import pytest
import torch
from robust_restoration_testing import check_defense
from torch import nn

import robust_restoration as rr
from robust_restoration.contracts import Step
from robust_restoration.errors import InputError

KINDS = ["gaussian", "poisson", "impulse"]


@pytest.fixture
def images():
    rough = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(rough, size=(30, 30), mode="bilinear")


@pytest.mark.parametrize("kind", KINDS)
def test_conforms(kind, images):
    check_defense(
        rr.create_defense("noise2noise", kind=kind, patch=20),
        rr.create_denoiser("dncnn_test"),
        images,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_copies_are_independent(kind):
    clean = torch.full((4, 1, 64, 64), 0.5)
    defense = rr.create_defense("noise2noise", kind=kind, photons=30.0)
    batch = defense.corrupt(clean, torch.Generator().manual_seed(0))
    one, two = ((batch[name] - clean).flatten() for name in ("noisy", "target"))
    assert one.std() > 0.02
    assert abs(float(torch.corrcoef(torch.stack([one, two]))[0, 1])) < 0.05


def test_gaussian_copies_draw_levels_of_their_own():
    clean = torch.zeros(64, 1, 32, 32)
    defense = rr.create_defense("noise2noise", sigma=(0.0, 0.2))
    batch = defense.corrupt(clean, torch.Generator().manual_seed(0))
    one, two = (batch[name].square().mean((1, 2, 3)).sqrt() for name in ("noisy", "target"))
    assert torch.allclose(one, batch["sigma"], rtol=0.15, atol=1e-4)
    assert abs(float(torch.corrcoef(torch.stack([one, two]))[0, 1])) < 0.3


def test_losses_by_hand(images):
    model = nn.Identity()
    for kind, power in (("gaussian", 2.0), ("poisson", 1.0), ("impulse", 0.5)):
        defense = rr.create_defense("noise2noise", kind=kind)
        batch = defense.corrupt(images, torch.Generator().manual_seed(0))
        loss, _ = defense.loss(model, batch, Step("train", progress=0.75))
        away = (batch["noisy"] - batch["target"]).abs() + 1e-8
        assert torch.allclose(loss, away.pow(power).mean(), rtol=1e-4)


def test_the_exponent_falls_over_the_run(images):
    found = []
    rr.train(
        rr.create_denoiser("dncnn_test"),
        rr.create_defense("noise2noise", kind="impulse", patch=20),
        images,
        steps=4,
        batch_size=2,
        progress=False,
        on_step=lambda _, figures: found.append(figures["gamma"]),
    )
    assert found == pytest.approx([2.0, 1.5, 1.0, 0.5])


@pytest.mark.slow
def test_it_learns_to_restore_without_clean_images(images):
    torch.manual_seed(0)
    model = rr.create_denoiser("dncnn_test", batch_norm=False)
    defense = rr.create_defense("noise2noise", sigma=0.2, patch=24)
    noisy, _ = rr.Gaussian(0.2)(images, seed=0)
    rr.train(
        model, defense, images, steps=150, batch_size=8, lr=5e-3, schedule="cosine", progress=False
    )
    with torch.no_grad():
        gain = rr.psnr(model(noisy), images) - rr.psnr(noisy, images)
    assert gain.mean() > 3


def test_the_report_s_code():
    clean = torch.full((64, 1, 16, 16), 0.5)
    options = {"kind": "impulse", "impulse_sigma": (0.0, 50 / 255), "exponent": 2}
    defense = rr.create_defense("noise2noise", clip="released", **options)
    batch = defense.observe(clean, torch.Generator().manual_seed(0))
    levels = (batch["noisy"] - clean).square().mean((1, 2, 3)).sqrt()
    assert levels.max() > 3 * levels.median() / 2  # each image has a level of its own
    assert levels.min() < levels.median() / 3
    assert torch.equal(batch["noisy"] * 255, (batch["noisy"] * 255).round())
    loss, figures = defense.loss(nn.Identity(), batch, Step("train", progress=0.9))
    away = (batch["noisy"] - batch["target"]).abs() + 1e-8
    assert torch.allclose(loss, away.square().mean())
    assert figures == {"gamma": 2.0}


def test_photons_as_the_report_s_code_draws_them():
    clean = torch.full((400, 1, 24, 24), 0.5)
    spreads = {}
    for law in ("paper", "released"):
        defense = rr.create_defense("noise2noise", kind="poisson", photons_law=law)
        noise = defense.corrupt(clean, torch.Generator().manual_seed(0))["noisy"] - clean
        spreads[law] = (0.5 / noise.var((1, 2, 3))).std()  # variance x / photons
    assert spreads["released"] > 2 * spreads["paper"]


def test_bad_options():
    with pytest.raises(InputError, match="exponent is"):
        rr.create_defense("noise2noise", exponent=-1.0)
    with pytest.raises(InputError, match="'gaussian', 'poisson' or 'impulse'"):
        rr.create_defense("noise2noise", kind="salt")
    with pytest.raises(InputError, match="noise of its own"):
        rr.create_defense("noise2noise", noise="poisson:30")
