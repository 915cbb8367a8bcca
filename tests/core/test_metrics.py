"""Metrics against scikit-image's, and their definition."""

from __future__ import annotations

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from robust_restoration import accuracy, mae, psnr, ssim
from robust_restoration.errors import InputError


def noisy(images: Tensor) -> Tensor:
    return images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def test_psnr_is_scikit_images_of_the_clamped_image(images: Tensor) -> None:
    restored = noisy(images)
    for value, r, c in zip(psnr(restored, images), restored, images, strict=True):
        expected = peak_signal_noise_ratio(c.numpy(), r.clamp(0, 1).numpy(), data_range=1)
        assert float(value) == pytest.approx(expected, abs=1e-4)


def test_ssim_is_scikit_images(images: Tensor) -> None:
    restored = noisy(images)
    values = ssim(restored, images)
    for value, r, c in zip(values, restored, images, strict=True):
        expected = structural_similarity(
            c.numpy(), r.clamp(0, 1).numpy(), data_range=1, channel_axis=0,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        assert float(value) == pytest.approx(expected, abs=1e-3)
    torch.testing.assert_close(ssim(images, images), torch.ones(4))


def test_each_image_counts_alone(images: Tensor) -> None:
    restored = noisy(images)
    for metric in (psnr, ssim, mae):
        whole = metric(restored, images)
        single = [metric(r[None], c[None])[0] for r, c in zip(restored, images, strict=True)]
        torch.testing.assert_close(whole, torch.stack(single))


def test_known_values() -> None:
    a, b = torch.full((1, 1, 2, 2), 0.6), torch.full((1, 1, 2, 2), 0.5)
    torch.testing.assert_close(psnr(a, b), torch.tensor([20.0]))
    torch.testing.assert_close(mae(a, b), torch.tensor([0.1]))
    assert torch.isinf(psnr(b, b)).all()
    torch.testing.assert_close(psnr(b + 9, b), psnr(torch.ones_like(b), b))
    assert accuracy(torch.eye(3), torch.tensor([0, 1, 0])).tolist() == [1, 1, 0]


def test_small_images_have_an_ssim() -> None:
    x = torch.rand(1, 1, 6, 8)
    torch.testing.assert_close(ssim(x, x), torch.ones(1))


def test_shapes_must_agree(images: Tensor) -> None:
    with pytest.raises(InputError, match="expected the same"):
        psnr(images, images[:2])
