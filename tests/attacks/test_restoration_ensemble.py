"""The ensemble, its members, and the worst case of affine denoisers, which is known exactly."""

import math

import pytest
import torch
from robust_restoration_attacks import large
from robust_restoration_attacks.low_frequency import smooth
from robust_restoration_testing import check_attack
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError

EPS = 0.05
MEMBERS = {
    "obsatk_auto": {},
    "denoising_pgd_auto": {},
    "low_frequency": {"zero_mean": False},
    "random_squares": {},
}


class Affine(nn.Module):
    """f(y) = A y + b, whose worst case is a matter of singular values."""

    def __init__(self, channels=1, side=5):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        values = channels * side**2
        left, right = (
            torch.linalg.qr(torch.randn(values, values, generator=draw).double())[0]
            for _ in range(2)
        )
        spread = torch.linspace(1.0, 0.1, values).double()
        spread[0] = 1.6
        self.register_buffer("matrix", (left * spread) @ right.T)
        self.register_buffer("offset", 0.1 * torch.randn(values, generator=draw).double())

    def forward(self, noisy):
        flat = noisy.flatten(1).to(self.matrix)
        return (flat @ self.matrix.T + self.offset).view_as(noisy).to(noisy)


def exact_worst(matrix, residual, radius):
    """max |A d + r|^2 over |d| <= radius: the trust-region problem, by its secular equation."""
    left, values, _ = torch.linalg.svd(matrix)
    parts = left.T @ residual
    low, high = values[0] ** 2, values[0] ** 2 + 1e6

    def length(weight):
        return (values * parts / (weight - values**2)).square().sum().sqrt()

    if float(parts.norm()) < 1e-9:
        return float((radius * values[0]) ** 2)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if length(middle) > radius else (low, middle)
    step = values * parts / (high - values**2)
    return float((values * step + parts).square().sum())


@pytest.fixture
def pair():
    draw = torch.Generator().manual_seed(1)
    clean = torch.rand(2, 1, 5, 5, generator=draw)
    return clean + 0.1 * torch.randn(clean.shape, generator=draw), clean


def worst_by(attack, model, noisy, clean):
    return (model(attack(noisy, clean)) - clean).square().flatten(1).sum(1)


@pytest.mark.parametrize("at_rest", [False, True])
def test_exact_on_affine_denoisers(at_rest, pair):
    model = Affine().double()
    noisy, clean = pair
    if at_rest:  # nothing is wrong yet: the worst is along the top singular vector, exactly
        clean = model(noisy)
    attack = rr.create_attack("restoration_ensemble", model, eps=EPS, clip=None, seed=0)
    found = worst_by(attack, model, noisy, clean)
    radius = EPS * math.sqrt(25)
    for number in range(2):
        residual = (model(noisy) - clean)[number].flatten().double()
        best = exact_worst(model.matrix, residual, radius)
        if at_rest:
            assert best == pytest.approx((radius * 1.6) ** 2)
        assert 0.999 * best <= float(found[number]) <= best * (1 + 1e-5)


def test_zero_mean_is_the_worst_case_within_a_subspace(pair):
    model = Affine().double()
    noisy, clean = pair
    attack = rr.create_attack("obsatk_auto", model, eps=EPS, clip=None, steps=100)
    centre = torch.eye(25).double() - 1 / 25
    found = worst_by(attack, model, noisy, clean)
    for number in range(2):
        residual = (model(noisy) - clean)[number].flatten().double()
        best = exact_worst(model.matrix @ centre, residual, EPS * 5)
        assert float(found[number]) == pytest.approx(best, rel=2e-3)


def test_each_value_reaches_the_best_sign_vector_of_a_small_image():
    model = Affine(side=3).double()
    noisy = torch.rand(1, 1, 3, 3, generator=torch.Generator().manual_seed(2))
    clean = noisy - 0.2
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 9).view(-1, 1, 3, 3)
    every = (model(noisy + EPS * signs) - clean).square().flatten(1).sum(1)
    attack = rr.create_attack("denoising_pgd_auto", model, eps=EPS, clip=None)
    assert float(worst_by(attack, model, noisy, clean)) >= 0.97 * float(every.max())


@pytest.fixture(scope="module")
def blind():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return rr.create_denoiser("dncnn_test", batch_norm=False).eval()


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(3)
    clean = nn.functional.interpolate(
        torch.rand(3, 1, 5, 5, generator=draw), size=(16, 18), mode="bilinear"
    )
    return (clean + 0.1 * torch.randn(clean.shape, generator=draw)).clamp(0, 1), clean


@pytest.mark.slow
def test_never_weaker_than_a_member(blind, images):
    attack = rr.create_attack("restoration_ensemble", blind, eps=EPS, steps=8, queries=20, seed=0)
    worst = attack.evaluate(attack(*images), images[1])
    assert set(attack.won) <= {*attack.named, "none"}
    for member in attack.named.values():
        member.seed = 0
        changed = member(*images)
        assert bool((attack.evaluate(changed, images[1]) <= worst).all())
        size = (changed - images[0]).flatten(1).norm(dim=1)
        assert bool((size <= attack.radius(images[0]) * (1 + 1e-5)).all())


def test_calls_are_counted(blind, images):
    attack = rr.create_attack("restoration_ensemble", blind, eps=EPS, steps=8, queries=20, seed=0)
    attack(*images)
    assert attack.calls["zero mean"] == {"gradients": 8, "queries": 1}
    assert attack.calls["any mean"] == {"gradients": 16, "queries": 2}
    assert attack.calls["black box"] == {"gradients": 0, "queries": 21}
    assert "towards another" in attack.calls


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MEMBERS, "restoration_ensemble"])
def test_conforms(name, blind, images):
    quick = {"queries": 6} if name in ("random_squares", "restoration_ensemble") else {}
    quick |= {} if name == "random_squares" else {"steps": 4}
    options = {**MEMBERS.get(name, {}), **quick}
    check_attack(rr.create_attack(name, blind, eps=EPS, **options), *images)


def test_smooth_perturbations_are_smooth(blind, images):
    attack = rr.create_attack("low_frequency", blind, eps=EPS, steps=8, clip=None, zero_mean=False)
    change = attack(*images) - images[0]
    rough = change - smooth(change.clone(), 0.25)
    assert rough.norm() < 0.01 * change.norm()
    before, after = (attack.evaluate(i, images[1]) for i in (images[0], images[0] + change))
    assert bool((after > before).all())


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (1, 1, 61, 47), (1, 3, 9, 1500)])
def test_low_frequencies_are_those_of_the_whole_transform(shape, share, monkeypatch):
    monkeypatch.setattr(large, "PIECE", 1000)  # of several strips, the last one narrower
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    rows = torch.fft.fftfreq(shape[2]).abs()[:, None]
    kept = (rows <= share / 2) & (torch.fft.fftfreq(shape[3]).abs() <= share / 2)
    expected = torch.fft.ifft2(torch.fft.fft2(given.double()) * kept).real.float()
    assert (smooth(given.clone(), share) - expected).abs().max() < 2e-6


class Rounds(nn.Module):
    """No gradient flows through this one."""

    differentiable = False

    def forward(self, noisy):
        return (noisy * 8).round() / 8


def test_without_gradients(images):
    attack = rr.create_attack("random_squares", Rounds(), eps=EPS, queries=40, seed=0)
    before, after = (attack.evaluate(i, images[1]) for i in (images[0], attack(*images)))
    assert bool((after > before).all())
    attack = rr.create_attack(
        "restoration_ensemble", Rounds(), eps=EPS, steps=4, queries=10, seed=0
    )
    assert bool((attack.evaluate(attack(*images), images[1]) > before).all())


def test_bad_options(blind):
    with pytest.raises(InputError, match="version is '7'; expected 1"):
        rr.create_attack("restoration_ensemble", blind, version="7")
    with pytest.raises(InputError, match="clip='paper'"):
        rr.create_attack("restoration_ensemble", blind, clip="paper")
    for options in ({"queries": 0}, {"share": 0.0}):
        with pytest.raises(InputError, match="expected"):
            rr.create_attack("random_squares", blind, **options)
