import pytest
import torch
from robust_restoration_defenses.typical_set_sampling import (
    sample_typical_tail,
    typical_tail_by_loop,
)
from scipy.stats import ks_2samp, kstest

from robust_restoration.errors import InputError


@pytest.mark.parametrize(("d", "k"), [(3, 1), (50, 10), (400, 100)])
def test_equal_in_law_to_the_loop(d, k):
    generator = torch.Generator().manual_seed(0)
    quick = sample_typical_tail((2000, d), 0.1, k=k, generator=generator)
    slow = typical_tail_by_loop((1000, d), 0.1, k=k, generator=generator)
    assert ks_2samp(quick.norm(dim=1), slow.norm(dim=1)).pvalue > 1e-3
    # A value of a uniform direction, on its own.
    one, other = (s[:, 0] / s.norm(dim=1) for s in (quick, slow))
    assert ks_2samp(one, other).pvalue > 1e-3


def test_directions_are_uniform():
    draws = sample_typical_tail((4000, 3), 1.0, generator=torch.Generator().manual_seed(1))
    heights = (draws / draws.norm(dim=1, keepdim=True))[:, 2]
    # Archimedes: on the sphere in three dimensions heights are uniform.
    assert kstest(heights, "uniform", args=(-1, 2)).pvalue > 1e-3


def test_the_paper_s_level():
    draws = sample_typical_tail((500, 1, 40, 40), 25.0, generator=torch.Generator().manual_seed(0))
    assert draws.square().mean().sqrt().item() == pytest.approx(26.1, abs=0.05)


def test_a_level_for_each_sample():
    sigma = torch.tensor([0.0, 0.1, 0.2])
    draws = sample_typical_tail((3, 1600), sigma, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(draws.square().mean(1).sqrt(), 1.044 * sigma, rtol=0.02)


def test_given_by_the_generator():
    one, two = (
        sample_typical_tail((4, 9), 1.0, generator=torch.Generator().manual_seed(s)) for s in (3, 3)
    )
    assert torch.equal(one, two)


def test_bad_options():
    with pytest.raises(InputError, match="at least 1"):
        sample_typical_tail((2, 9), 0.1, k=0)
