"""Training images made softer and sharper."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.noise_level import noise_level
from robust_restoration_advfilter.sharpness import with_sharpness

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError


@pytest.fixture
def data() -> LabelledImages:
    rough = torch.rand(70, 3, 8, 8)
    fine = 0.1 * torch.rand(70, 3, 32, 32)
    images = ((F.interpolate(rough, size=32, mode="bilinear") + fine) * 200).byte()
    return LabelledImages(images, torch.arange(70), name="made up")


def test_no_amount_leaves_images_alone(data: LabelledImages) -> None:
    made = with_sharpness(data, 0, 0, seed=0)
    assert torch.equal(made.images, data.images)
    assert torch.equal(made.labels, data.labels)
    assert made.name == data.name


def test_grain_grows_with_the_amount(data: LabelledImages) -> None:
    def grain(amount: float) -> float:
        made = with_sharpness(data, amount, amount, seed=0)
        return float(noise_level(made.pixels(slice(None))).mean())

    levels = [grain(amount) for amount in (-1, -0.5, 0, 1, 3)]
    assert levels == sorted(levels)
    assert levels[-1] > 1.1 * levels[0]


def test_minus_one_is_the_blur(data: LabelledImages) -> None:
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = torch.outer(line, line).expand(3, 1, 3, 3)
    padded = F.pad(data.images.float(), (1, 1, 1, 1), mode="replicate")
    expected = F.conv2d(padded, kernel, groups=3)
    made = with_sharpness(data, -1, -1, seed=0)
    assert (made.images - expected).abs().max() <= 0.51


def test_amounts_depend_on_the_seed_and_differ(data: LabelledImages) -> None:
    one, again, other = (with_sharpness(data, -0.5, 1, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)
    assert one.fingerprint() != data.fingerprint()


@pytest.mark.parametrize("amounts", [(-2, 0), (1, 0)])
def test_amounts_out_of_order_are_refused(
    data: LabelledImages, amounts: tuple[float, float]
) -> None:
    with pytest.raises(InputError, match="expected a lowest amount of at least -1"):
        with_sharpness(data, *amounts, seed=0)
