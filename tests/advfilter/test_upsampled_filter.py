import pytest
import torch
import torch.nn.functional as F
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
    wanted, largest = whole(images, maps)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(most, largest, atol=1e-5)


@pytest.mark.parametrize("wanted", ["images", "features", "layer"])
def test_same_with_gradients(wanted):
    images = torch.rand(2, 3, 12, 14, dtype=torch.float64)
    maps = pixel_maps(2, 27, 6, 7, dtype=torch.float64)
    tensor = {"images": images, "features": maps.features, "layer": maps.layer.weight}[wanted]
    tensor.requires_grad_(True)
    found, most = upsampled_filter(images, maps)
    assert found.requires_grad
    with torch.no_grad():
        again, largest = upsampled_filter(images, maps)
    assert torch.allclose(found, again)
    assert torch.allclose(most, largest)


def test_gradients():
    images = torch.rand(2, 3, 12, 14, dtype=torch.float64)
    maps = pixel_maps(2, 27, 6, 7, dtype=torch.float64)
    features = maps.features.requires_grad_(True)
    assert torch.autograd.gradcheck(
        lambda f: upsampled_filter(images, PixelMaps(f, maps.layer))[0],
        features, eps=1e-6, atol=1e-6,
    )


def test_float64():
    images, maps = torch.rand(1, 3, 8, 8), pixel_maps(1, 27, 4, 4)
    wide = PixelMaps(maps.features.double(), maps.layer.double())
    found, most = upsampled_filter(images.double(), wide)
    assert found.dtype == most.dtype == torch.float64
    assert torch.allclose(found, whole(images.double(), wide)[0], atol=1e-12)


def test_autocast_leaves_the_kernels_in_float32():
    images, maps = torch.rand(1, 3, 8, 8), pixel_maps(1, 27, 4, 4)
    wanted, _ = upsampled_filter(images, maps)
    half = maps._replace(features=maps.features.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        same, _ = upsampled_filter(images, maps)
        near, _ = upsampled_filter(images.bfloat16(), half)
    assert torch.equal(same, wanted)
    assert near.dtype == torch.bfloat16
    assert torch.allclose(near.float(), wanted, atol=0.1)


def test_maps_are_upsampled_and_cropped():
    maps = pixel_maps(1, 2, 4, 5)
    found = maps.upsampled(7, 10)
    assert found.shape == (1, 2, 7, 10)
    wanted = F.interpolate(maps.layer(maps.features), scale_factor=2, mode="bilinear")
    assert torch.allclose(found, wanted[..., :7, :], atol=1e-6)
