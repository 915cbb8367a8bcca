"""The contract of degradations: blur and super-resolution fit without touching the core."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.models.restore import restore


class Blur(rr.Degradation):
    """A box blur of a side that each image draws; gray observations of colour images."""

    def corrupt(self, image: Tensor, draw) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        side = int(draw.choice([1, 3]))
        gray = image.mean(0, keepdim=True)
        kernel = torch.zeros(3, 3)
        kernel[1, 1] = 1
        if side == 3:
            kernel[:] = 1 / 9
        padded = F.pad(gray[None], (1, 1, 1, 1), mode="replicate")
        return F.conv2d(padded, kernel[None, None])[0], {"kernel": kernel, "side": side}


class Half(rr.Degradation):
    """Half the resolution, with a little noise."""

    def corrupt(self, image: Tensor, draw) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        noise = torch.from_numpy(draw.standard_normal(image[:, ::2, ::2].shape, "float32"))
        return F.avg_pool2d(image, 2) + 0.01 * noise, {"sigma": 0.01}


class Deblur(nn.Module):
    """Sharpens by the kernel it is told."""

    def forward(self, x: Tensor, kernel: Tensor) -> Tensor:
        assert kernel.shape == (len(x), 3, 3)
        return x / kernel.sum((1, 2)).view(-1, 1, 1, 1)


class Enlarge(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2)


def test_blur_and_its_kernel(images: Tensor) -> None:
    observed, given = Blur()(images, seed=3)
    assert observed.shape == (len(images), 1, *images.shape[-2:])
    assert given["kernel"].shape == (len(images), 3, 3)
    assert sorted(given["side"].unique().tolist()) == [1, 3]
    clean = images.mean(1, keepdim=True)
    assert restore(Deblur(), observed, given=given, like=clean).shape == clean.shape
    parts = [Blur()(images[i : i + 1], seed=3, index=i)[0] for i in range(len(images))]
    assert torch.equal(torch.cat(parts), observed)


def test_another_size(images: Tensor) -> None:
    observed, given = Half()(images, seed=0)
    assert observed.shape[-1] == images.shape[-1] // 2
    restored = restore(Enlarge(), observed, given=given, like=images)
    assert restored.shape == images.shape
    with pytest.raises(rr.InputError, match="must keep the shape"):
        restore(Enlarge(), observed, given=given)
    with pytest.raises(rr.InputError, match="expected the clean images' shape"):
        restore(nn.Identity(), observed, like=images)


def test_sets_give_pairs_of_another_size(images: Tensor) -> None:
    data = rr.load_images(images)
    observed, clean, given = data.pair([0, 2], Half(), seed=0)
    assert torch.equal(clean, images[[0, 2]])
    assert torch.equal(observed, Half()(images[[0, 2]], seed=0, index=[0, 2])[0])
    assert torch.equal(given["sigma"], torch.full((2,), 0.01))


def test_denoisers_are_told_sigma_of_what_is_given(images: Tensor) -> None:
    told = []

    class Telling(rr.Denoiser):
        def forward(self, observed: Tensor, sigma: float | Tensor | None = None) -> Tensor:
            told.append(sigma)
            return observed

    sharp = Telling()
    noisy, given = rr.Gaussian((0.0, 0.1))(images, seed=0)
    restore(sharp, noisy, given=given)  # blind: it is not told
    sharp.blind = False
    restore(sharp, noisy, given={**given, "kernel": 3})  # told what it names
    restore(sharp, noisy, 0.2, given=given)  # what is said comes before what is given
    assert told[0] is None
    assert torch.equal(told[1], given["sigma"])
    assert told[2] == 0.2
    with pytest.raises(rr.InputError, match="needs the noise level"):
        restore(sharp, noisy, given={})
    with pytest.raises(rr.InputError, match="25/255"):
        restore(sharp, noisy, 25)


def test_sizes_that_differ_in_a_batch_are_refused() -> None:
    class Crop(rr.Degradation):
        def corrupt(self, image: Tensor, draw) -> tuple[Tensor, dict[str, float]]:
            return image[:, : int(draw.integers(1, 9))], {}

    with pytest.raises(rr.InputError, match="several sizes"):
        Crop()(torch.rand(8, 1, 9, 9), seed=0)
