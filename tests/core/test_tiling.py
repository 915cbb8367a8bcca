import pytest
import torch
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError
from robust_restoration.images.tiling import WITH_GRADIENT, Tiled
from robust_restoration.models.restore import conditioning


class Told(rr.Denoiser):
    blind = False

    def forward(self, noisy, sigma=None):
        return noisy * (1 - sigma)


@pytest.fixture
def denoiser():
    return rr.create_denoiser("dncnn_test", batch_norm=False).eval()


@pytest.mark.parametrize("size", [(30, 40), (64, 64), (100, 161), (33, 200)])
def test_same_as_whole(size, denoiser):
    noisy = torch.rand(2, 1, *size)
    tiled = Tiled(denoiser, tile=64, overlap=32)
    with torch.no_grad():
        assert torch.allclose(tiled(noisy), denoiser(noisy), atol=1e-5)


def test_same_gradient(denoiser):
    noisy = torch.rand(1, 1, 90, 130)
    gradients = []
    for model in (denoiser, Tiled(denoiser, tile=32, overlap=32)):
        x = noisy.clone().requires_grad_()
        gradients.append(torch.autograd.grad(model(x).square().sum(), x)[0])
    assert torch.allclose(*gradients, atol=1e-4)


def test_attacks_go_through(denoiser):
    clean = torch.rand(1, 1, 80, 70)
    noisy = clean + 0.1 * torch.randn(clean.shape)
    whole = rr.create_attack("obsatk", denoiser)(noisy, clean)
    tiled = rr.create_attack("obsatk", Tiled(denoiser, tile=32, overlap=32))(noisy, clean)
    assert torch.allclose(whole, tiled, atol=1e-4)


def test_level_is_passed_on():
    tiled = Tiled(Told(), tile=32, overlap=0)
    noisy = torch.rand(1, 1, 50, 50)
    assert torch.allclose(rr.restore(tiled, noisy, 0.25), 0.75 * noisy)
    with pytest.raises(InputError, match="needs the noise level"):
        rr.restore(tiled, noisy)


def test_a_tile_is_all_that_the_denoiser_sees():
    seen = []

    class Spy(nn.Module):
        def forward(self, noisy):
            seen.append(tuple(noisy.shape[-2:]))
            return noisy

    Tiled(Spy(), tile=64, overlap=32)(torch.rand(1, 1, 500, 300))
    assert max(max(s) for s in seen) == 64 + 2 * 32


@pytest.mark.parametrize("options", [{"tile": 50}, {"tile": 0}, {"overlap": 20}])
def test_bad_options(options):
    with pytest.raises(InputError, match="multiples of 32"):
        Tiled(nn.Identity(), **options)


def test_with_gradients_tiles_are_smaller_and_the_gradient_is_the_same(denoiser):
    seen = []
    denoiser.register_forward_pre_hook(lambda _, args: seen.append(max(args[0].shape[-2:])))
    noisy = torch.rand(1, 1, 400, 330)
    gradients = []
    for model in (denoiser, Tiled(denoiser, tile=352, overlap=32)):
        seen.clear()
        x = noisy.clone().requires_grad_()
        gradients.append(torch.autograd.grad(model(x).square().sum(), x)[0])
    assert torch.allclose(*gradients, atol=1e-4)
    assert max(seen) <= WITH_GRADIENT + 2 * 32


def test_plain_modules_are_told_the_level_in_tiles_too():
    class Plain(nn.Module):
        def forward(self, noisy, sigma):
            return noisy * (1 - sigma)

    tiled = Tiled(Plain(), tile=32, overlap=0)
    assert conditioning(tiled, 0.25) == 0.25
    ones = torch.ones(1, 1, 64, 64)
    assert torch.equal(rr.restore(tiled, ones, 0.25), 0.75 * ones)
