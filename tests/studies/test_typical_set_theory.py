"""Each statement against random draws."""

import math

import pytest
import torch
from robust_restoration_studies import typical_set_theory as theory

from robust_restoration.errors import InputError

SIGMA = 25 / 255


@pytest.fixture
def noise():
    return SIGMA * torch.randn(4000, 300, generator=torch.Generator().manual_seed(0)).double()


def test_log_density_is_torch_s(noise):
    expected = torch.distributions.Normal(0.0, SIGMA).log_prob(noise).sum(1)
    assert torch.allclose(theory.log_density(noise, SIGMA), expected)


def test_entropy_is_the_mean_log_density(noise):
    assert theory.entropy(SIGMA) == pytest.approx(
        float(torch.distributions.Normal(0.0, SIGMA).entropy()), rel=1e-5
    )
    assert theory.typicality(noise, SIGMA).mean().abs() < 3e-3


def test_typicality_is_the_norm(noise):
    expected = noise.square().sum(1) / (2 * 300 * SIGMA**2) - 0.5
    assert torch.allclose(theory.typicality(noise, SIGMA), expected)


@pytest.mark.parametrize("eps", [0.02, 0.05, 0.1])
def test_norm_bounds_and_their_probability(eps, noise):
    low, high = theory.norm_bounds(eps, 300, SIGMA)
    norms = noise.norm(dim=1)
    within = (norms >= low) & (norms <= high)
    assert torch.equal(within, theory.typicality(noise, SIGMA).abs() <= eps)
    share = float(within.double().mean())
    assert theory.typical_probability(eps, 300) == pytest.approx(share, abs=0.025)
    assert theory.typical_probability(eps, 3000) > theory.typical_probability(eps, 300)


def test_no_l2_perturbation_changes_the_density_more_than_lemma_3_8(noise):
    xi = 0.3
    noise = noise[:500]
    bound = theory.log_density_change_l2(noise.norm(dim=1), xi, SIGMA)
    random = torch.randn(noise.shape, generator=torch.Generator().manual_seed(1)).double()
    along = xi * noise / noise.norm(dim=1, keepdim=True)
    for delta in (xi * random / random.norm(dim=1, keepdim=True), -along):
        change = theory.log_density(noise + delta, SIGMA) - theory.log_density(noise, SIGMA)
        assert (change.abs() <= bound * (1 + 1e-9)).all()
    reached = theory.log_density(noise, SIGMA) - theory.log_density(noise + along, SIGMA)
    assert torch.allclose(reached, bound)


def test_theorem_3_10(noise):
    eps, xi = 0.05, 5 / 255 * math.sqrt(300)
    typical = noise[theory.typicality(noise, SIGMA).abs() <= eps]
    delta = xi * typical / typical.norm(dim=1, keepdim=True)  # the worst, by lemma 3.8
    moved = theory.typicality(typical + delta, SIGMA)
    bound = theory.typicality_under_l2(eps, xi, 300, SIGMA)
    assert (moved <= bound + 1e-12).all()
    assert moved.max() > 0.9 * bound


def test_lemma_3_12_is_the_worst_corner():
    noise = torch.tensor([[0.1, -0.2, 0.0, 0.05]])
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4) * 0.01
    densities = theory.log_density(noise + corners, SIGMA)
    worst = theory.worst_linf_direction(noise, 0.01)
    assert theory.log_density(noise + worst, SIGMA).item() == pytest.approx(densities.min().item())


def test_theorem_3_20_for_many_dimensions():
    eta = 3 / 255
    noise = SIGMA * torch.randn(20, 200_000, generator=torch.Generator().manual_seed(0)).double()
    moved = theory.typicality(noise + theory.worst_linf_direction(noise, eta), SIGMA)
    start = theory.typicality(noise, SIGMA)
    for before, after in zip(start.tolist(), moved.tolist(), strict=True):
        assert after == pytest.approx(theory.typicality_under_linf(before, eta, SIGMA), rel=0.015)


def test_lemma_3_14_is_the_density_of_absolute_values():
    x = torch.linspace(0, 8 * SIGMA, 20_001, dtype=torch.float64)
    density = theory.folded_normal_density(x, SIGMA)
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-6)
    mean = torch.trapezoid(x * density, x).item()
    assert mean == pytest.approx(theory.folded_normal_mean(SIGMA), rel=1e-6)
    expected = torch.distributions.HalfNormal(torch.tensor(SIGMA).double()).log_prob(x).exp()
    assert torch.allclose(density, expected)
    assert theory.folded_normal_density(-x[1:], SIGMA).max() == 0


@pytest.mark.parametrize("eps", [0.004, 0.006, 0.01])
def test_lemma_3_16_with_chebyshev_s_probability(eps, noise):
    low, high = theory.l1_norm_bounds(eps, 300, SIGMA)
    sums = noise.abs().sum(1)
    outside = 1 - ((sums >= low) & (sums <= high)).double().mean().item()
    assert outside <= SIGMA**2 * (1 - 2 / math.pi) / (300 * eps**2)
    if eps == 0.004:  # the bounds are not so wide as to say nothing
        assert outside > 0.1


def test_no_linf_perturbation_changes_the_density_more_than_lemma_3_18(noise):
    eta, noise = 3 / 255, noise[:500]
    bound = theory.log_density_change_linf(noise.abs().sum(1), eta, 300, SIGMA)
    worst = theory.worst_linf_direction(noise, eta)
    random = eta * (2 * torch.rand(noise.shape, generator=torch.Generator().manual_seed(1)) - 1)
    before = theory.log_density(noise, SIGMA)
    for delta in (random.double(), random.sign().double() * eta, -worst):
        assert ((theory.log_density(noise + delta, SIGMA) - before).abs() < bound).all()
    assert torch.allclose(before - theory.log_density(noise + worst, SIGMA), bound)


@pytest.mark.parametrize(("d", "eps"), [(2, 0.3), (50, 0.1), (300, 0.05)])
def test_volume(d, eps):
    # The set is a shell: log V = d/2 log(pi) - log Gamma(d/2 + 1) + log(r_high^d - r_low^d).
    low, high = theory.norm_bounds(eps, d, SIGMA)
    unit = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
    shell = unit + d * math.log(high) + math.log1p(-((low / high) ** d))
    least, most = theory.log_volume_bounds(eps, d, SIGMA)
    assert least < shell < most
    assert most - least < 3 * d * eps + 3


def test_the_equivalent_cube():
    most = theory.log_volume_bounds(1e-9, 7, SIGMA)[1]
    assert 7 * math.log(theory.equivalent_edge(SIGMA)) == pytest.approx(most)
    most = theory.log_volume_bounds(0.2, 7, SIGMA)[1]
    assert 7 * math.log(theory.equivalent_edge(SIGMA, 0.2)) == pytest.approx(most)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixed_noise_keeps_its_variance(share, noise):
    other = SIGMA * torch.randn(noise.shape, generator=torch.Generator().manual_seed(5))
    mixed = theory.mixed_noise(noise, other.double(), share)
    assert mixed.std().item() == pytest.approx(SIGMA, rel=5e-3)


def test_sphere_section():
    draw = torch.Generator().manual_seed(0)
    noisy, first, second, attack = torch.randn(4, 1, 6, 7, generator=draw)
    attack = 0.1 * attack
    angles = torch.tensor([[0.0, 0.0], [math.pi, 0.0], [0.3, 0.4], [0.0, math.pi / 2]])
    points = theory.sphere_section(noisy, attack, first, second, angles)
    moves = points - noisy
    # About the noisy image, as far from it as the attack.
    assert torch.allclose(moves.flatten(1).norm(dim=1), attack.norm().expand(4), rtol=1e-4)
    assert torch.allclose(moves[0], attack.norm() * first / first.norm(), atol=1e-5)
    assert torch.allclose(moves[1], -moves[0], atol=1e-5)
    pole = moves[3].flatten()
    assert abs(float(pole @ first.flatten())) < 1e-4
    assert float(pole @ attack.flatten()) > 0
    # All lie in the span of the three.
    span = torch.stack([first.flatten(), second.flatten(), attack.flatten()]).T
    rest = moves[2].flatten() - span @ torch.linalg.lstsq(span, moves[2].flatten()).solution
    assert rest.norm() < 1e-4
    wide = theory.sphere_section(noisy, attack, first, second, angles, radius=2.0) - noisy
    assert torch.allclose(wide.flatten(1).norm(dim=1), torch.tensor(2.0), rtol=1e-4)
    with pytest.raises(InputError, match="one plane"):
        theory.sphere_section(noisy, first, first, second, angles)


def test_bad_options():
    with pytest.raises(InputError, match="above 0"):
        theory.entropy(0.0)
    with pytest.raises(InputError, match="above 0"):
        theory.log_volume_bounds(0.0, 5, SIGMA)
    with pytest.raises(InputError, match="from 0 to 1"):
        theory.mixed_noise(torch.zeros(1), torch.zeros(1), 2.0)
