"""The transforms against the libraries and formulas they stand for, and the contract they fill."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from robust_restoration_testing import check_purifier
from scipy import ndimage
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from robust_restoration import create_purifier
from robust_restoration.errors import InputError

ALL: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("jpeg", {}),
    "smooth_jpeg": ("jpeg", {"differentiable": True}),
    "median": ("median", {}),
    "median7": ("median", {"kernel_size": 7}),  # kornia has another way for large windows
    "gaussian_blur": ("gaussian_blur", {}),
    "bit_depth": ("bit_depth", {}),
    "total_variation": ("total_variation", {}),
}
SMOOTH = {"smooth_jpeg", "median", "median7", "gaussian_blur"}

each = pytest.mark.parametrize("which", ALL)


def make(which: str) -> Any:
    name, options = ALL[which]
    return create_purifier(name, **options)


@each
def test_conformance(which: str) -> None:
    check_purifier(make(which))


@each
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_every_dtype_is_kept_and_differs_by_its_rounding(
    which: str, dtype: torch.dtype, images: Tensor
) -> None:
    purifier = make(which)
    given = images[:1, :, :17, :13].to(dtype)  # one image, odd sides
    out = purifier(given)
    assert (out.dtype, out.shape) == (dtype, given.shape)
    # What float32 makes of the very same values; half precision may only round it once.
    torch.testing.assert_close(
        out.float(), purifier(given.float()), atol=torch.finfo(dtype).eps + 1e-6, rtol=0
    )


@each
def test_autocast_changes_nothing(which: str, images: Tensor) -> None:
    purifier = make(which)
    with torch.autocast("cpu", torch.bfloat16):
        out = purifier(images[:2])
    assert torch.equal(out, purifier(images[:2]))


@each
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_does_not_depend_on_its_batch(which: str, channels: int, images: Tensor) -> None:
    purifier = make(which)
    batch = images[:, :channels]
    # Convolutions may add up in another order, hence a few roundings.
    for number in range(len(batch)):
        alone = purifier(batch[number : number + 1])
        torch.testing.assert_close(purifier(batch)[number], alone[0], atol=1e-6, rtol=0)


@each
def test_gradients_are_as_declared(which: str, images: Tensor) -> None:
    purifier = make(which)
    assert purifier.differentiable is (which in SMOOTH)
    assert purifier.random is False
    out = purifier(images.requires_grad_())
    assert out.requires_grad is purifier.differentiable
    if purifier.differentiable:
        (gradient,) = torch.autograd.grad(out.square().sum(), images)
        assert torch.isfinite(gradient).all()
        assert (gradient.abs().amax((1, 2, 3)) > 0).all()  # in each image


@each
def test_options_make_it_again(which: str, images: Tensor) -> None:
    purifier = make(which)
    options = json.loads(json.dumps(purifier.options))
    assert ALL[which][1].items() <= options.items()
    again = create_purifier(ALL[which][0], **options)
    assert again.options == purifier.options
    assert torch.equal(again(images), purifier(images))


@each
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_stay_to_the_border(which: str, value: float) -> None:
    # Padding with zeros would darken the border of a white image.
    plain = torch.full((1, 3, 19, 21), value)
    torch.testing.assert_close(make(which)(plain), plain, atol=3e-3, rtol=0)


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("with_gradients", [False, True])  # kornia computes the two differently
def test_median_is_scipys(size: int, with_gradients: bool, images: Tensor) -> None:
    expected = ndimage.median_filter(images.numpy(), size=(1, 1, size, size), mode="mirror")
    out = create_purifier("median", kernel_size=size)(images.requires_grad_(with_gradients))
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-7)


@pytest.mark.parametrize(("sigma", "side"), [(0.8, 5), (1.0, 7), (2.1, 13)])
def test_blur_is_torchvisions_and_scipys(sigma: float, side: int, images: Tensor) -> None:
    out = create_purifier("gaussian_blur", sigma=sigma)(images)
    torch.testing.assert_close(out, gaussian_blur(images, [side, side], [sigma, sigma]))
    expected = ndimage.gaussian_filter(
        images.numpy(), (0, 0, sigma, sigma), mode="mirror", radius=(0, 0, side // 2, side // 2)
    )
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("quality", [1, 50, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(quality: int, channels: int, images: Tensor) -> None:
    given = images[:, :channels, :17, :13]
    out = create_purifier("jpeg", quality=quality)(given)
    for image, coded in zip(given, out, strict=True):
        pixels = (image.permute(1, 2, 0) * 255).round().byte().numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels.squeeze()).save(buffer, "JPEG", quality=quality)
        expected = np.asarray(Image.open(buffer)).reshape(pixels.shape)
        np.testing.assert_array_equal((coded.permute(1, 2, 0) * 255).round().numpy(), expected)


@pytest.mark.parametrize("quality", [30, 75])
@pytest.mark.parametrize("channels", [1, 3])
def test_smooth_jpeg_is_near_the_real_one(quality: int, channels: int, images: Tensor) -> None:
    given = images[:, :channels]
    real = create_purifier("jpeg", quality=quality)(given)
    smooth = create_purifier("jpeg", quality=quality, differentiable=True)(given)
    # Nearer to the codec's output than the images themselves are, by a good part.
    assert (smooth - real).abs().mean() < 0.5 * (given - real).abs().mean()


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_bit_depth_rounds_to_the_nearest_level(bits: int) -> None:
    images = torch.linspace(0, 1, 1001).view(1, 1, 7, 143)
    out = create_purifier("bit_depth", bits=bits)(images)
    levels = torch.linspace(0, 1, 2**bits)
    assert torch.isclose(out[..., None], levels, atol=1e-6).any(-1).all()
    assert (out - images).abs().max() <= 0.5 / (2**bits - 1) + 1e-6


@pytest.mark.parametrize("channels", [1, 3])
def test_total_variation_is_skimages(channels: int, images: Tensor) -> None:
    given = images[:, :channels]
    out = create_purifier("total_variation", weight=0.1, iterations=20)(given)
    for image, smooth in zip(given, out, strict=True):
        expected = denoise_tv_chambolle(
            image.numpy(), weight=0.1, max_num_iter=20, channel_axis=0
        )
        np.testing.assert_allclose(smooth.numpy(), expected, atol=1e-6)


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "option", "bad"),
    [
        ("jpeg", "quality", (0, 101, 75.5, NAN, "80", True)),
        ("median", "kernel_size", (0, 2, -3, 2.5, 3.0, NAN)),
        ("gaussian_blur", "sigma", (0, -1, NAN, INFINITY, "1")),
        ("bit_depth", "bits", (0, 9, 2.5, True)),
        ("total_variation", "weight", (0, -1, NAN, INFINITY)),
        ("total_variation", "iterations", (0, 1.5)),
    ],
)
def test_bad_options(name: str, option: str, bad: tuple[Any, ...]) -> None:
    for value in bad:
        with pytest.raises(InputError, match=f"^{option} is {value!r}; expected"):
            create_purifier(name, **{option: value})


@each
def test_bad_images(which: str) -> None:
    purifier = make(which)
    with pytest.raises(InputError, match="expected"):
        purifier(torch.zeros(8, 8))
    with pytest.raises(InputError, match="dtype"):
        purifier(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


@pytest.mark.parametrize(("name", "side"), [("median", 1), ("gaussian_blur", 2)])
def test_images_too_small_to_be_reflected(name: str, side: int) -> None:
    purifier = create_purifier(name)
    assert purifier(torch.rand(1, 1, side + 1, side + 1)).shape[-1] == side + 1
    with pytest.raises(InputError, match=f"needs more than {side} pixels a side"):
        purifier(torch.rand(1, 1, 9, side))


@pytest.mark.parametrize("differentiable", [False, True])
def test_jpeg_refuses_other_channels(differentiable: bool) -> None:
    with pytest.raises(InputError, match="1 or 3 channels; images have 2"):
        create_purifier("jpeg", differentiable=differentiable)(torch.rand(1, 2, 16, 16))
