"""The transforms against the libraries and formulas they stand for."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor, nn

from robust_restoration import create_purifier
from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError
from robust_restoration.testing import check_purifier

NAMES = ["jpeg", "median", "gaussian_blur", "bit_depth", "total_variation"]


@pytest.mark.parametrize("name", NAMES)
def test_conformance(name: str) -> None:
    check_purifier(create_purifier(name))


def test_differentiable_jpeg_conforms_on_colour(images: Tensor) -> None:
    smooth = create_purifier("jpeg", differentiable=True)
    images.requires_grad_()
    out = smooth(images)
    assert out.shape == images.shape
    out.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    real = create_purifier("jpeg")(images)
    assert (out - real).abs().mean() < 0.03


def test_median_is_scipys_inside(images: Tensor) -> None:
    out = create_purifier("median", kernel_size=5)(images)[..., 2:-2, 2:-2]
    expected = ndimage.median_filter(images.numpy(), size=(1, 1, 5, 5))[..., 2:-2, 2:-2]
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-7)


def test_blur_is_scipys_inside(images: Tensor) -> None:
    out = create_purifier("gaussian_blur", sigma=1.0)(images)[..., 4:-4, 4:-4]
    expected = ndimage.gaussian_filter(images.numpy(), (0, 0, 1.0, 1.0), truncate=3.0)
    np.testing.assert_allclose(out.numpy(), expected[..., 4:-4, 4:-4], atol=1e-5)


def test_jpeg_is_pillows(images: Tensor) -> None:
    out = create_purifier("jpeg", quality=50)(images)
    pixels = (images[0].permute(1, 2, 0) * 255).round().byte().numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=50)
    expected = np.asarray(Image.open(buffer))
    np.testing.assert_array_equal((out[0].permute(1, 2, 0) * 255).round().numpy(), expected)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_bit_depth_rounds_to_the_nearest_level(bits: int) -> None:
    images = torch.linspace(0, 1, 1001).view(1, 1, 7, 143)
    out = create_purifier("bit_depth", bits=bits)(images)
    levels = torch.linspace(0, 1, 2**bits)
    assert torch.isclose(out[..., None], levels, atol=1e-6).any(-1).all()
    assert (out - images).abs().max() <= 0.5 / (2**bits - 1) + 1e-6


def test_total_variation_is_skimages(images: Tensor) -> None:
    out = create_purifier("total_variation", weight=0.1)(images)
    expected = denoise_tv_chambolle(
        images[1].numpy(), weight=0.1, max_num_iter=100, channel_axis=0
    )
    np.testing.assert_allclose(out[1].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("jpeg", {"quality": 0}, "quality is 0"),
        ("median", {"kernel_size": 2}, "kernel_size is 2"),
        ("gaussian_blur", {"sigma": 0}, "sigma is 0"),
        ("bit_depth", {"bits": 9}, "bits is 9"),
        ("total_variation", {"weight": -1}, "weight is -1"),
    ],
)
def test_bad_options(name: str, options: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        create_purifier(name, **options)


class _Halve(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images / 2


class _Told(Denoiser):
    blind = False
    channels = 1

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        assert noisy.shape[1] == 1
        return noisy - float(sigma or 0)


def denoiser_purifier(*args: object, **options: object) -> nn.Module:
    from robust_restoration.registry import registry
    from robust_restoration.targets import load_target

    offer, _ = registry().find("purifiers", "denoiser:any")
    made: nn.Module = load_target(offer.entry)(*args, **options)
    return made


def test_any_module_is_a_purifier(images: Tensor) -> None:
    purifier = denoiser_purifier(_Halve())
    check_purifier(purifier)
    torch.testing.assert_close(purifier(images), images / 2)


def test_a_gray_denoiser_restores_colour_a_channel_at_a_time(images: Tensor) -> None:
    out = denoiser_purifier(_Told(), sigma=0.1)(images)
    torch.testing.assert_close(out, (images - 0.1).clamp(0, 1))


def test_a_denoiser_that_must_be_told_sigma() -> None:
    with pytest.raises(InputError, match="must be told the noise level"):
        denoiser_purifier(_Told())
