"""Calling a denoiser: which level it is told, inside a wrapper or not."""

import pytest
import torch
from torch import nn

import robust_restoration as rr
from robust_restoration.contracts import unwrapped
from robust_restoration.errors import InputError
from robust_restoration.models.restore import conditioning, restore, takes_sigma


class Told(rr.Denoiser):
    """Gives back the level it is told."""

    blind = False

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, noisy, sigma=None):
        return noisy * 0 + self.scale * sigma


class Blind(rr.Denoiser):
    """Is never told."""

    def forward(self, noisy, sigma=None):
        assert sigma is None
        return noisy


@pytest.mark.parametrize("wrap", [lambda m: m, nn.DataParallel])
def test_the_level_reaches_those_that_want_it(wrap):
    noisy = torch.rand(2, 1, 4, 4)
    for denoiser, level in ((Told(), 0.1), (Blind(), None)):
        model = wrap(denoiser)
        assert unwrapped(model) is denoiser
        assert takes_sigma(model)
        assert conditioning(model, 0.1) == level
        restored = restore(model, noisy, conditioning(model, 0.1))
        expected = noisy if level is None else torch.full_like(noisy, level)
        torch.testing.assert_close(restored, expected)


def test_a_plain_module_is_told_where_it_asks():
    class Asks(nn.Module):
        def forward(self, noisy, sigma):
            return noisy + sigma

    assert takes_sigma(Asks())
    assert not takes_sigma(nn.Identity())
    noisy = torch.zeros(1, 1, 2, 2)
    torch.testing.assert_close(restore(Asks(), noisy, 0.5), noisy + 0.5)
    assert torch.equal(restore(nn.Identity(), noisy, 0.5), noisy)


@pytest.mark.parametrize("sigma", [25, -0.1, torch.tensor([0.1, 2.0])])
def test_levels_are_fractions(sigma):
    with pytest.raises(InputError, match="levels are fractions"):
        restore(Told(), torch.zeros(2, 1, 2, 2), sigma)


def test_a_level_that_is_wanted_and_missing_is_named():
    with pytest.raises(InputError, match="needs the noise level"):
        restore(Told(), torch.zeros(1, 1, 2, 2))
