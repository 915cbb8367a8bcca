"""The per-pixel filter against the F.unfold formula it replaces."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.pixel_filter import blur_kernels, pixel_filter
from torch import Tensor

from robust_restoration.errors import InputError

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


def reference(images: Tensor, kernels: Tensor) -> Tensor:
    n, c, height, width = images.shape
    size = round((kernels.shape[1] / c) ** 0.5)
    patches = F.unfold(images, size, padding=size // 2).view(n, c, size * size, height, width)
    return (patches * kernels.view(n, size * size, c, height, width).transpose(1, 2)).sum(dim=2)


def sample(n: int, c: int, h: int, w: int, k: int, **options: object) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n + 10 * h + 100 * k)
    images = torch.rand(n, c, h, w, generator=generator, dtype=torch.float64)
    kernels = torch.randn(n, k * k * c, h, w, generator=generator, dtype=torch.float64)
    return images.to(**options), kernels.to(**options)  # type: ignore[call-overload]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("n", "c", "h", "w", "k"),
    [(2, 3, 7, 9, 5), (1, 1, 1, 1, 3), (3, 3, 6, 5, 3), (1, 3, 4, 4, 1), (2, 1, 3, 2, 5)],
)
def test_equals_unfold_forward_and_backward(
    device: str, n: int, c: int, h: int, w: int, k: int
) -> None:
    mine = [t.requires_grad_() for t in sample(n, c, h, w, k, device=device)]
    theirs = [t.detach().clone().requires_grad_() for t in mine]
    weight = torch.randn(n, c, h, w, dtype=torch.float64).to(device)
    out, expected = pixel_filter(*mine), reference(*theirs)
    torch.testing.assert_close(out, expected)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_many_small_and_few_large_images_are_cut_up_alike() -> None:
    images, kernels = sample(40, 3, 60, 60, 3, dtype=torch.float32)  # several slices
    torch.testing.assert_close(pixel_filter(images, kernels), reference(images, kernels))
    one = torch.cat([pixel_filter(i[None], k[None]) for i, k in zip(images, kernels, strict=True)])
    assert torch.equal(pixel_filter(images, kernels), one)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["both", "images", "kernels"])
def test_gradcheck(which: str) -> None:
    images, kernels = sample(2, 2, 4, 5, 3)
    images.requires_grad_(which != "kernels")
    kernels.requires_grad_(which != "images")
    assert torch.autograd.gradcheck(pixel_filter, (images, kernels))


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-6), (torch.float16, 2e-3), (torch.bfloat16, 1e-2)]
)
def test_precision(dtype: torch.dtype, bound: float) -> None:
    images, kernels = (t.to(dtype) for t in sample(2, 3, 16, 17, 5))
    out = pixel_filter(images, kernels)
    exact = reference(images.double(), kernels.double())
    assert out.dtype == dtype
    assert ((out.double() - exact).norm() / exact.norm()) < bound


def test_any_memory_format() -> None:
    images, kernels = sample(2, 3, 6, 7, 5)
    expected = pixel_filter(images, kernels)
    last = [t.contiguous(memory_format=torch.channels_last) for t in (images, kernels)]
    assert torch.equal(pixel_filter(*last), expected)
    strided = [t.transpose(2, 3).contiguous().transpose(2, 3) for t in (images, kernels)]
    assert torch.equal(pixel_filter(*strided), expected)


def test_identity_and_blur_kernels() -> None:
    images, _ = sample(1, 3, 8, 8, 5)
    kernels = blur_kernels(5, 3, 0.0).double().view(1, -1, 1, 1).expand(1, -1, 8, 8)
    assert torch.equal(pixel_filter(images, kernels), images)
    blur = blur_kernels(5, 3, 0.7).view(25, 3)
    torch.testing.assert_close(blur.sum(0), torch.ones(3))
    assert (blur[12] == blur.amax(0)).all()


@pytest.mark.parametrize("shape", [(2, 75, 8, 9), (1, 75, 8, 8), (2, 12, 8, 8), (2, 74, 8, 8)])
def test_shapes_that_do_not_belong_together(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected kernels \(2, K\*K\*3, 8, 8\)"):
        pixel_filter(torch.rand(2, 3, 8, 8), torch.rand(shape))


def test_no_images() -> None:
    with pytest.raises(InputError, match="expected"):
        pixel_filter(torch.rand(3, 8, 8), torch.rand(75, 8, 8))
