import gc
from weakref import ref

import pytest
import torch
from robust_restoration_denoisers import tiling
from robust_restoration_denoisers.tiling import Tiled
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


def test_with_gradients_tiles_are_smaller_and_the_gradient_is_the_same(denoiser, monkeypatch):
    monkeypatch.setattr(tiling, "KEPT", 2**20)
    seen = []
    denoiser.register_forward_pre_hook(lambda _, args: seen.append(max(args[0].shape[-2:])))
    noisy = torch.rand(1, 1, 400, 330)
    gradients = []
    for model in (denoiser, Tiled(denoiser, tile=352, overlap=32)):
        x = noisy.clone().requires_grad_()
        gradients.append(torch.autograd.grad(model(x).square().sum(), x)[0])
        sides, seen = seen, []
    assert torch.allclose(*gradients, atol=1e-4)
    assert max(sides) <= 160  # the image that the network is looked at with


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
    for outer, inner, core in tiled._tiles(noisy, None, gradient=True):
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


def test_a_sum_over_tiles_has_the_gradient_of_the_whole_to_the_bit(denoiser, monkeypatch):
    monkeypatch.setattr(tiling, "KEPT", 2**20)
    noisy, clean = torch.rand(2, 1, 2, 200, 170).unbind(2)
    tiled = Tiled(denoiser.requires_grad_(False), tile=96, overlap=32)

    def error(restored, at):
        return (restored - clean[at]).square().sum((1, 2, 3))

    calls = []
    denoiser.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    found = []
    for count in (
        lambda images: tiled(images, loss=error),
        lambda images: error(tiled(images), (...,)),
    ):
        calls.clear()
        images = noisy.clone().requires_grad_()
        values = count(images)
        (gradient,) = torch.autograd.grad(values[0] + 2 * values[1], images)
        found.append((values.detach(), gradient, len(calls)))
    (values, gradient, once), (wanted, expected, twice) = found
    assert torch.allclose(values, wanted, rtol=1e-5)
    assert torch.equal(gradient, expected)
    assert once < 0.6 * twice
    with torch.no_grad():
        assert torch.allclose(tiled(noisy, loss=error), wanted, rtol=1e-5)


@pytest.mark.parametrize(("radius", "overlap"), [(0, 0), (3, 32), (32, 32), (33, 64), (100, 64)])
def test_a_tile_sees_as_far_as_the_network_looks(radius, overlap):
    class Far(nn.Module):
        def forward(self, noisy):
            return noisy + noisy.roll(radius, -1) + noisy.roll(-radius, -2)

    widths = []
    far = Far()
    tiled = Tiled(far, tile=64)
    state = torch.get_rng_state()
    tiled(torch.zeros(1, 1, 64, 640))
    assert torch.equal(torch.get_rng_state(), state)
    far.register_forward_pre_hook(lambda _, args: widths.append(args[0].shape[-1]))
    tiled(torch.zeros(1, 1, 64, 640))
    assert max(widths) == 64 + 2 * overlap


@pytest.mark.slow
def test_new_weights_may_look_further():
    convolution = nn.Conv2d(1, 1, 65, padding=32, bias=False)
    nn.init.dirac_(convolution.weight)
    tiled, images = Tiled(convolution, tile=64), torch.rand(1, 1, 40, 200)
    with torch.no_grad():
        assert torch.allclose(tiled(images), images)
        nn.init.constant_(convolution.weight, 1 / 65**2)
        assert torch.allclose(tiled(images), convolution(images), atol=1e-6)


def test_looking_at_a_network_keeps_nothing_of_it_alive(denoiser):
    made = []
    denoiser.net[1].register_forward_hook(lambda _, args, output: made.append(ref(output)))
    tiled = Tiled(denoiser, tile=64)
    gc.disable()
    try:
        tiled(torch.rand(1, 1, 70, 70, requires_grad=True))
        assert made
        assert not any(tensor() is not None for tensor in made)
    finally:
        gc.enable()


def test_what_keeps_much_gets_small_tiles_and_what_keeps_little_large_ones(monkeypatch):
    sides = {}
    for features in (4, 64):
        denoiser = rr.create_denoiser("dncnn_test", features=features).eval()
        tiled, seen = Tiled(denoiser), []
        tiled(torch.rand(1, 1, 600, 40, requires_grad=True))  # how far it looks, and what it keeps
        denoiser.register_forward_pre_hook(lambda _, args, to=seen: to.append(args[0].shape[-2]))
        monkeypatch.setattr(tiling, "KEPT", 2**24)
        tiled(torch.rand(1, 1, 600, 40, requires_grad=True))
        sides[features] = max(seen)
    assert sides[64] == 128 < 400 < sides[4]


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


@pytest.mark.slow
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
