import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.pixel_filter import pixel_filter
from robust_restoration_advfilter.upsampled_filter import upsampled, upsampled_filter


def whole(images, maps):
    kernels = F.interpolate(maps, scale_factor=2, mode="bilinear")
    kernels = kernels[..., : images.shape[-2], : images.shape[-1]]
    return pixel_filter(images, kernels), kernels.amax(1)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (15, 18), (1, 2), (7, 31)])
@pytest.mark.parametrize(("k", "channels"), [(3, 3), (5, 3), (5, 1)])
def test_same_as_upsampling_whole(k, channels, size, channels_last):
    half = [-(-side // 2) for side in size]
    images = torch.rand(3, channels, *size)
    maps = torch.randn(3, k * k * channels, *half)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
        maps = maps.contiguous(memory_format=torch.channels_last)
    found, most = upsampled_filter(images, maps)
    wanted, largest = whole(images, maps)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(most, largest, atol=1e-6)


def test_same_with_gradients():
    images = torch.rand(2, 3, 12, 14, dtype=torch.float64)
    maps = torch.randn(2, 27, 6, 7, dtype=torch.float64, requires_grad=True)
    found, most = upsampled_filter(images, maps)
    assert found.requires_grad
    with torch.no_grad():
        again, largest = upsampled_filter(images, maps)
    assert torch.allclose(found, again)
    assert torch.allclose(most, largest)
    assert torch.autograd.gradcheck(
        lambda m: upsampled_filter(images, m)[0], maps, eps=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_dtypes(dtype):
    images, maps = torch.rand(1, 3, 8, 8), torch.randn(1, 27, 4, 4)
    found, _ = upsampled_filter(images.to(dtype), maps.to(dtype))
    assert found.dtype == dtype
    assert torch.allclose(found.float(), upsampled_filter(images, maps)[0], atol=0.1)


def test_upsampled_is_cropped():
    maps = torch.rand(1, 2, 4, 5)
    assert upsampled(maps, 7, 10).shape == (1, 2, 7, 10)
