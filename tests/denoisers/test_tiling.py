import pytest
import torch
from robust_restoration_denoisers.tiling import WITH_GRADIENT, Tiled
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import robust_restoration as rr
from robust_restoration.errors import InputError
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


def in_slices(tiled, noisy):
    """What tiles give and their gradients, by autograd's own slices of the image."""
    restored = torch.empty_like(noisy)
    for outer, inner, core in tiled._tiles(noisy, min(tiled.tile, WITH_GRADIENT)):
        restored[core] = tiled.denoiser(noisy[outer])[inner]
    return restored


def test_gradients_are_those_of_slices_to_the_bit(denoiser):
    noisy = torch.rand(2, 1, 150, 100, requires_grad=True)
    tiled, wanted = Tiled(denoiser, tile=64, overlap=32), [noisy, *denoiser.parameters()]
    found, expected = tiled(noisy), in_slices(tiled, noisy)
    assert torch.equal(found, expected)
    along = torch.rand(found.shape)
    first = torch.autograd.grad(found, wanted, along, retain_graph=True)
    again = torch.autograd.grad(found, wanted, along)
    for now, twice, then in zip(
        first, again, torch.autograd.grad(expected, wanted, along), strict=True
    ):
        assert torch.equal(now, twice)
        assert torch.allclose(now, then, rtol=1e-5, atol=1e-6)
    assert torch.equal(first[0], torch.autograd.grad(in_slices(tiled, noisy), noisy, along)[0])


def test_a_gradient_has_a_gradient():
    class Cubes(nn.Module):
        def forward(self, noisy):
            return noisy**3

    noisy = torch.rand(1, 1, 100, 70, requires_grad=True)
    restored = Tiled(Cubes(), tile=64, overlap=32)(noisy)
    (first,) = torch.autograd.grad(restored.sum(), noisy, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), noisy)
    assert torch.allclose(first, 3 * noisy**2)
    assert torch.allclose(second, 6 * noisy)


def test_no_tile_takes_the_memory_of_the_image(denoiser):
    class Large(TorchDispatchMode):
        made = 0

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            result = operation(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result._base is None:
                self.made += result.untyped_storage().nbytes() >= noisy.nbytes and not any(
                    isinstance(a, torch.Tensor)
                    and a.untyped_storage().data_ptr() == result.untyped_storage().data_ptr()
                    for a in args
                )
            return result

    denoiser.requires_grad_(False)
    noisy = torch.rand(1, 1, 600, 500, requires_grad=True)
    tiled = Tiled(denoiser, tile=32, overlap=0)
    with Large() as large:
        tiled(noisy).backward(torch.ones_like(noisy))
    assert large.made < 20


def test_what_gives_no_gradient_gives_none_in_tiles():
    class Rounded(nn.Module):
        def forward(self, noisy):
            return noisy.detach().round()

    clean = torch.rand(1, 1, 100, 70)
    tiled = Tiled(Rounded(), tile=64, overlap=32)
    assert not tiled(clean.requires_grad_()).requires_grad
    with pytest.raises(InputError, match="differentiable = False"):
        rr.create_attack("obsatk", tiled)(clean.detach(), clean.detach())
