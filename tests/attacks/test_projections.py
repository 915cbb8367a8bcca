import numpy as np
import pytest
import torch
from robust_restoration_attacks import projections
from robust_restoration_attacks.projections import project, room
from scipy.optimize import minimize


def problem(seed, size=12, spread=1.0, width=0.3):
    draw = torch.Generator().manual_seed(seed)
    z = spread * torch.randn(1, 1, 1, size, generator=draw, dtype=torch.float64)
    low = -width * torch.rand(z.shape, generator=draw, dtype=torch.float64)
    high = width * torch.rand(z.shape, generator=draw, dtype=torch.float64)
    # Some pixels may not move at all in one direction, as black and white ones.
    low[..., 0], high[..., 1] = 0, 0
    return z, low, high


def by_scipy(z, radius, low, high, zero_mean):
    z, low, high = (t.flatten().numpy() for t in (z, low, high))
    constraints = [
        {
            "type": "ineq",
            "fun": lambda d: radius**2 - d @ d,
            "jac": lambda d: -2 * d,
        }
    ]
    if zero_mean:
        constraints.append(
            {"type": "eq", "fun": lambda d: d.sum(), "jac": lambda d: np.ones_like(d)}
        )
    found = minimize(
        lambda d: ((d - z) ** 2).sum() / 2,
        np.zeros_like(z),
        jac=lambda d: d - z,
        bounds=list(zip(low, high, strict=True)),
        constraints=constraints,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    # Status 8: no step is downhill any more in floating point, which is the solution as well.
    assert found.success or found.status == 8, found.message
    return found.x


@pytest.mark.parametrize("zero_mean", [True, False])
@pytest.mark.parametrize("radius", [0.05, 0.3, 0.6, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_a_convex_solver(seed, radius, zero_mean):
    z, low, high = problem(seed)
    found = project(z, radius=radius, low=low, high=high, zero_mean=zero_mean)
    expected = by_scipy(z, radius, low, high, zero_mean)
    assert np.allclose(found.flatten().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("zero_mean", [True, False])
def test_bisection_agrees_with_the_active_set(zero_mean):
    parts = [problem(seed, size=60) for seed in range(20)]
    z, low, high = (torch.cat([part[i] for part in parts]).flatten(1) for i in range(3))
    radius = torch.linspace(0.1, 3, 20, dtype=torch.float64)[:, None]
    guess = [torch.zeros_like(z, dtype=torch.bool) for _ in range(2)]  # none is at a bound
    quick = projections._boxed(z, radius, low, high, guess, zero_mean, torch.empty_like(z))
    slow = projections._by_bisection(z, radius, low, high, zero_mean, torch.empty_like(z))
    assert torch.allclose(quick, slow, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("zero_mean", [True, False])
def test_pieces_of_an_image_are_projected_as_one(zero_mean, monkeypatch):
    parts = [problem(seed, size=60) for seed in range(20)]
    z, low, high = (torch.cat([part[i] for part in parts]) for i in range(3))
    radius = torch.linspace(0.1, 3, 20, dtype=torch.float64)
    options = {"radius": radius, "zero_mean": zero_mean}
    flat = [each.flatten(1) for each in (z, low, high)]

    def found():
        return [
            project(z, low=low, high=high, **options),
            project(z, **options),
            projections._by_bisection(
                flat[0], radius[:, None], *flat[1:], zero_mean, torch.empty_like(flat[0])
            ),
        ]

    whole = found()
    monkeypatch.setattr(projections.large, "PIECE", 7)
    for now, then in zip(found(), whole, strict=True):
        assert torch.allclose(now, then, rtol=0, atol=1e-12)


def test_all_constraints_hold_and_projecting_again_changes_nothing():
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, 9, 11, generator=draw) * 1.4 - 0.2
    z = torch.randn(images.shape, generator=draw) * torch.logspace(-3, 1, 6).view(-1, 1, 1, 1)
    low, high = room(images)
    radius = torch.linspace(0.05, 4, 6)
    found = project(z, radius=radius, low=low, high=high)
    assert (found >= low - 1e-7).all()
    assert (found <= high + 1e-7).all()
    assert found.mean((1, 2, 3)).abs().max() < 1e-7
    assert (found.flatten(1).norm(dim=1) <= radius * (1 + 1e-5)).all()
    again = project(found, radius=radius, low=low, high=high)
    assert torch.allclose(again, found, atol=1e-6)


def test_each_image_by_itself():
    parts = [problem(seed) for seed in range(5)]
    z, low, high = (torch.cat([part[i] for part in parts]) for i in range(3))
    together = project(z, radius=0.4, low=low, high=high)
    for i in range(5):
        alone = project(z[i : i + 1], radius=0.4, low=low[i : i + 1], high=high[i : i + 1])
        assert torch.allclose(together[i : i + 1], alone, atol=1e-12)


def test_without_a_box_mean_then_ball():
    z = torch.randn(3, 1, 5, 5)
    found = project(z, radius=torch.tensor([0.5, 1.0, 100.0]))
    centred = z - z.mean((1, 2, 3), keepdim=True)
    assert torch.allclose(found[2], centred[2], atol=1e-6)
    assert torch.allclose(found.flatten(1).norm(dim=1)[:2], torch.tensor([0.5, 1.0]))


def test_radius_0_is_0():
    z, low, high = problem(0)
    assert not project(z, radius=0.0, low=low, high=high).any()


def test_room_lets_nothing_further_out():
    low, high = room(torch.tensor([-0.2, 0.0, 0.4, 1.0, 1.3]))
    assert torch.allclose(low, torch.tensor([0.0, 0.0, -0.4, -1.0, -1.3]))
    assert torch.allclose(high, torch.tensor([1.2, 1.0, 0.6, 0.0, 0.0]))
