import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter import upsampled_filter as module
from robust_restoration_advfilter.pixel_filter import pixel_filter
from robust_restoration_advfilter.upsampled_filter import upsampled, upsampled_filter


def small_maps(count, maps, height, width, dtype=torch.float32):
    return torch.randn(count, maps, height, width, dtype=dtype)


def whole(images, maps):
    """Upsampled all at once, then filtered."""
    kernels = F.interpolate(maps, scale_factor=2, mode="bilinear")
    return pixel_filter(images, kernels[..., : images.shape[-2], : images.shape[-1]])


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (15, 18), (1, 2), (7, 31)])
@pytest.mark.parametrize(("k", "channels"), [(3, 3), (5, 3), (5, 1), (1, 2)])
def test_same_as_upsampling_whole(k, channels, size, channels_last):
    images = torch.rand(3, channels, *size)
    maps = small_maps(3, k * k * channels, *[-(-side // 2) for side in size])
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
        maps = maps.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(upsampled_filter(images, maps), whole(images, maps), atol=1e-5)


@pytest.mark.parametrize("size", [(12, 14), (5, 7), (1, 2), (2, 1)])
@pytest.mark.parametrize(("k", "channels"), [(3, 3), (5, 1), (1, 2)])
def test_gradients_of_upsampling_whole(k, channels, size):
    """Of both inputs, the same as through autograd's own operations."""
    images = torch.rand(2, channels, *size, dtype=torch.float64, requires_grad=True)
    half = [-(-side // 2) for side in size]
    maps = small_maps(2, k * k * channels, *half, dtype=torch.float64).requires_grad_(True)
    direction = torch.randn(2, channels, *size, dtype=torch.float64)
    ours, theirs = (
        torch.autograd.grad((function(images, maps) * direction).sum(), (images, maps))
        for function in (upsampled_filter, whole)
    )
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["images", "maps", "both"])
def test_gradcheck(which):
    images = torch.rand(1, 3, 5, 6, dtype=torch.float64, requires_grad=which != "maps")
    maps = small_maps(1, 27, 3, 3, dtype=torch.float64).requires_grad_(which != "images")
    assert torch.autograd.gradcheck(upsampled_filter, (images, maps))


def test_gradients_of_half_precision_maps():
    images, maps = torch.rand(1, 3, 8, 8), small_maps(1, 27, 4, 4)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        part = maps.to(dtype, copy=True).requires_grad_(True)
        filtered = upsampled_filter(images, part)
        filtered.sum().backward()
        assert filtered.dtype == torch.float32
        assert part.grad.dtype == dtype
        found.append(part.grad.float())
    assert torch.allclose(*found, atol=0.02, rtol=0.02)


def test_images_in_parts(monkeypatch):
    """Many small images go together, of large ones few, and the last part may be smaller."""
    images = torch.rand(5, 3, 6, 8, dtype=torch.float64, requires_grad=True)
    maps = small_maps(5, 27, 3, 4, dtype=torch.float64)
    found = []
    for pixels in (1, 2 * 48, 1000):
        monkeypatch.setattr(module, "PIXELS_AT_ONCE", pixels)
        filtered = upsampled_filter(images, maps)
        found.append((filtered, torch.autograd.grad(filtered.sum(), images)[0]))
    for others in found[1:]:
        assert all(torch.allclose(a, b) for a, b in zip(found[0], others, strict=True))


def test_float64():
    images, maps = torch.rand(1, 3, 8, 8).double(), small_maps(1, 27, 4, 4, torch.float64)
    found = upsampled_filter(images, maps)
    assert found.dtype == torch.float64
    assert torch.allclose(found, whole(images, maps), atol=1e-12)


def test_half_precision_images_are_summed_in_float32():
    images, maps = torch.rand(1, 3, 8, 8), small_maps(1, 27, 4, 4)
    near = upsampled_filter(images.bfloat16(), maps)
    assert near.dtype == torch.bfloat16
    assert torch.allclose(near.float(), upsampled_filter(images, maps), atol=0.1)


def test_maps_are_upsampled_and_cropped():
    maps = small_maps(1, 2, 4, 5)
    found = upsampled(maps, 7, 10)
    assert found.shape == (1, 2, 7, 10)
    expected = F.interpolate(maps, scale_factor=2, mode="bilinear")[..., :7, :]
    assert torch.allclose(found, expected, atol=1e-6)
