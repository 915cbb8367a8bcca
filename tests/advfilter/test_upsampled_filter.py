import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter import upsampled_filter as module
from robust_restoration_advfilter.pixel_filter import pixel_filter
from robust_restoration_advfilter.upsampled_filter import PixelMaps, upsampled_filter
from torch import nn


def pixel_maps(count, maps, height, width, *, features=4, dtype=torch.float32):
    layer = nn.Conv2d(features, maps, 1).to(dtype).requires_grad_(False)
    return PixelMaps(torch.randn(count, features, height, width, dtype=dtype), layer)


def whole(images, maps):
    """The paper's order: features are upsampled, then the output layer, then the filter."""
    features = F.interpolate(maps.features, scale_factor=2, mode="bilinear")
    kernels = maps.layer(features)[..., : images.shape[-2], : images.shape[-1]]
    return pixel_filter(images, kernels), kernels.amax(1)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (15, 18), (1, 2), (7, 31)])
@pytest.mark.parametrize(("k", "channels"), [(3, 3), (5, 3), (5, 1), (1, 2)])
def test_same_as_upsampling_whole(k, channels, size, channels_last):
    half = [-(-side // 2) for side in size]
    images = torch.rand(3, channels, *size)
    maps = pixel_maps(3, k * k * channels, *half)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
        features = maps.features.contiguous(memory_format=torch.channels_last)
        maps = maps._replace(features=features)
    found, most = upsampled_filter(images, maps)
    expected, largest = whole(images, maps)
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(most, largest, atol=1e-5)


@pytest.mark.parametrize("expected", ["images", "features", "layer"])
def test_same_with_gradients(expected):
    images = torch.rand(2, 3, 12, 14, dtype=torch.float64)
    maps = pixel_maps(2, 27, 6, 7, dtype=torch.float64)
    tensor = {"images": images, "features": maps.features, "layer": maps.layer.weight}[expected]
    tensor.requires_grad_(True)
    found, most = upsampled_filter(images, maps)
    assert found.requires_grad
    with torch.no_grad():
        again, largest = upsampled_filter(images, maps)
    assert torch.allclose(found, again)
    assert torch.allclose(most, largest)


@pytest.mark.parametrize("size", [(12, 14), (5, 7), (1, 2), (2, 1)])
@pytest.mark.parametrize(("k", "channels"), [(3, 3), (5, 1), (1, 2)])
@pytest.mark.parametrize("which", ["filtered", "maximum", "both"])
def test_gradients_of_upsampling_whole(which, k, channels, size):
    """Of all inputs, from either output, the same as through autograd's own operations."""
    images = torch.rand(2, channels, *size, dtype=torch.float64, requires_grad=True)
    half = [-(-side // 2) for side in size]
    maps = pixel_maps(2, k * k * channels, *half, dtype=torch.float64)
    maps.features.requires_grad_(True)
    maps.layer.requires_grad_(True)
    expected = [images, maps.features, *maps.layer.parameters()]
    direction = torch.randn(2, channels, *size, dtype=torch.float64)
    found = []
    for function in (upsampled_filter, whole):
        filtered, most = function(images, maps)
        value = 0
        if which != "maximum":
            value = value + (filtered * direction).sum()
        if which != "filtered":
            value = value + (most * direction[:, 0]).sum()
        found.append(torch.autograd.grad(value, expected, allow_unused=True))
    for ours, theirs in zip(*found, strict=True):
        theirs = torch.zeros_like(ours) if theirs is None else theirs
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_gradcheck():
    images = torch.rand(1, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    maps = pixel_maps(1, 27, 3, 3, dtype=torch.float64)
    features = maps.features.requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda i, f: upsampled_filter(i, PixelMaps(f, maps.layer)), (images, features)
    )


def test_gradients_of_half_precision_maps():
    images, maps = torch.rand(1, 3, 8, 8), pixel_maps(1, 27, 4, 4)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        features = maps.features.detach().to(dtype, copy=True).requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
            filtered, _ = upsampled_filter(images, maps._replace(features=features))
        filtered.sum().backward()
        assert filtered.dtype == torch.float32
        assert features.grad.dtype == dtype
        found.append(features.grad.float())
    assert torch.allclose(*found, atol=0.02, rtol=0.02)


def test_images_in_parts(monkeypatch):
    """Many small images go together, of large ones few, and the last part may be smaller."""
    images = torch.rand(5, 3, 6, 8, dtype=torch.float64, requires_grad=True)
    maps = pixel_maps(5, 27, 3, 4, dtype=torch.float64)
    found = []
    for pixels in (1, 2 * 48, 1000):
        monkeypatch.setattr(module, "PIXELS_AT_ONCE", pixels)
        filtered, most = upsampled_filter(images, maps)
        gradient = torch.autograd.grad(filtered.sum() + most.sum(), images)[0]
        with torch.no_grad():
            again, _ = upsampled_filter(images, maps)
        assert torch.allclose(again, filtered)
        found.append((filtered, most, gradient))
    for others in found[1:]:
        assert all(torch.allclose(a, b) for a, b in zip(found[0], others, strict=True))


def test_equal_kernels_share_one_gradient():
    """Where several maps are the highest, the gradient of the maximum counts once."""
    images = torch.rand(1, 3, 4, 4)
    maps = pixel_maps(1, 27, 2, 2)
    maps.layer.weight.zero_()
    maps.layer.bias.fill_(0.1).requires_grad_(True)
    upsampled_filter(images, maps)[1].sum().backward()
    assert maps.layer.bias.grad.sum().item() == pytest.approx(16)


def test_float64():
    images, maps = torch.rand(1, 3, 8, 8), pixel_maps(1, 27, 4, 4)
    wide = PixelMaps(maps.features.double(), maps.layer.double())
    found, most = upsampled_filter(images.double(), wide)
    assert found.dtype == most.dtype == torch.float64
    assert torch.allclose(found, whole(images.double(), wide)[0], atol=1e-12)


def test_autocast_leaves_the_kernels_in_float32():
    images, maps = torch.rand(1, 3, 8, 8), pixel_maps(1, 27, 4, 4)
    expected, _ = upsampled_filter(images, maps)
    half = maps._replace(features=maps.features.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        same, _ = upsampled_filter(images, maps)
        near, _ = upsampled_filter(images.bfloat16(), half)
    assert torch.equal(same, expected)
    assert near.dtype == torch.bfloat16
    assert torch.allclose(near.float(), expected, atol=0.1)


def test_maps_are_upsampled_and_cropped():
    maps = pixel_maps(1, 2, 4, 5)
    found = maps.upsampled(7, 10)
    assert found.shape == (1, 2, 7, 10)
    expected = F.interpolate(maps.layer(maps.features), scale_factor=2, mode="bilinear")
    assert torch.allclose(found, expected[..., :7, :], atol=1e-6)
