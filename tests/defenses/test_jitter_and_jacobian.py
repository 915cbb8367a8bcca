"""Jittering and Jacobian regularisation, against what is known of linear denoisers."""

import math

import pytest
import torch
from robust_restoration_defenses.jitter import jitter_level, worst_case_shrinkage
from robust_restoration_testing import check_defense
from torch import nn

import robust_restoration as rr
from robust_restoration.contracts import Step
from robust_restoration.errors import InputError

NAMES = ["jitter", "jacobian_regularized"]


class Shrinks(nn.Module):
    """f(y) = a y: the linear denoiser where the subspace is everything."""

    def __init__(self, a=0.5):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, noisy):
        return self.a * noisy


def batch_of(defense, clean, seed):
    return {"clean": clean, **defense.corrupt(clean, torch.Generator().manual_seed(seed))}


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(0)
    rough = torch.rand(6, 1, 8, 9, generator=draw)
    return nn.functional.interpolate(rough, size=(40, 44), mode="bilinear")


@pytest.mark.parametrize("name", NAMES)
def test_conforms(name, images):
    check_defense(
        rr.create_defense(name, patch=20), rr.create_denoiser("dncnn_test"), images
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_linear_optimum(name):
    """Trained to the end, a is signal^2 / (signal^2 + noise^2 + level^2)."""
    signal, noise, level = 0.3, 0.1, 0.2
    clean = signal * torch.randn(64, 1, 40, 40, generator=torch.Generator().manual_seed(1))
    defense = rr.create_defense(name, sigma=noise, level=level)
    batch = batch_of(defense, clean, 2)
    # The loss is a parabola in a, whose lowest point three of its values tell.
    low, middle, high = (
        float(defense.loss(Shrinks(a), batch, Step("train"))[0].detach()) for a in (0.0, 0.5, 1.0)
    )
    lowest = (3 * low - 4 * middle + high) / (4 * (low - 2 * middle + high))
    assert lowest == pytest.approx(signal**2 / (signal**2 + noise**2 + level**2), rel=0.01)


def test_one_is_the_other_on_linear_denoisers(images):
    convolution = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    excess = []
    plain = rr.create_defense("standard", sigma=0.1)
    for name in NAMES:
        defense = rr.create_defense(name, sigma=0.1, level=0.3, patch=40)
        total = 0.0
        for seed in range(30):
            batch = batch_of(defense, images[..., :40, :40], seed)
            for sign, method in ((1, defense), (-1, plain)):
                total += sign * float(method.loss(convolution, batch, Step("train"))[0].detach())
        excess.append(total / 30)
    expected = 0.3**2 / 2 * float(convolution.weight.square().sum()) * 40**2
    for found in excess:
        assert found == pytest.approx(expected, rel=0.1)  # but for the image's border


def test_the_jacobian_of_a_convolution():
    convolution = nn.Conv2d(1, 1, 1, bias=False)
    convolution.weight.data.fill_(0.7)
    defense = rr.create_defense("jacobian_regularized")
    batch = batch_of(defense, torch.rand(8, 1, 32, 32), 0)
    _, figures = defense.loss(convolution, batch, Step("train"))
    assert figures["jacobian"] == pytest.approx(0.49, rel=0.05)


def test_jitter_is_optimal_in_the_worst_case():
    """No other shrinkage does better against the worst perturbation, found by an attack."""
    signal, noise, eps = 0.3, 0.1, 0.08
    level = jitter_level(signal, noise, eps)
    best = signal**2 / (signal**2 + noise**2 + level**2)
    assert best == pytest.approx(worst_case_shrinkage(signal, noise, eps), abs=1e-6)
    draw = torch.Generator().manual_seed(3)
    clean = signal * torch.randn(4, 1, 40, 40, generator=draw)
    noisy = clean + noise * torch.randn(clean.shape, generator=draw)

    def worst(a):
        model = Shrinks(a)
        attack = rr.create_attack(
            "obsatk_auto", model, eps=eps, clip=None, zero_mean=False, steps=10
        )
        return float((a * attack(noisy, clean) - clean).square().mean().detach())

    at_best = worst(best)
    wiener = signal**2 / (signal**2 + noise**2)
    for other in (wiener, best - 0.05, best + 0.05):
        assert worst(other) > at_best
    predicted = math.hypot((1 - best) * signal, best * noise) + best * eps
    assert at_best == pytest.approx(predicted**2, rel=0.03)


def test_without_a_perturbation_it_is_wiener_s_filter():
    assert worst_case_shrinkage(0.3, 0.1, 0.0) == pytest.approx(0.9, abs=1e-6)
    assert jitter_level(0.3, 0.1, 0.0) == pytest.approx(0.0, abs=1e-3)
    assert jitter_level(0.1, 0.1, 1.0) == math.inf


@pytest.mark.parametrize("name", NAMES)
def test_level_0_is_standard_training(name, images):
    defense = rr.create_defense(name, level=0.0)
    batch = batch_of(defense, images, 0)
    model = rr.create_denoiser("dncnn_test")
    standard, _ = rr.create_defense("standard").loss(model, batch, Step("train"))
    assert torch.allclose(defense.loss(model, batch, Step("train"))[0], standard)
    # And what is validated is not jittered.
    assert torch.equal(batch["noisy"], rr.create_defense("standard").corrupt(
        images, torch.Generator().manual_seed(0)
    )["noisy"])


@pytest.mark.parametrize("name", NAMES)
def test_bad_level(name):
    with pytest.raises(InputError, match="write 10/255"):
        rr.create_defense(name, level=10)
