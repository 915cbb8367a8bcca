"""Training images with noise of their own."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_advfilter.camera_noise import with_camera_noise

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError


@pytest.fixture
def data() -> LabelledImages:
    return LabelledImages(torch.full((200, 3, 16, 16), 128).byte(), torch.arange(200), name="gray")


def test_none_leaves_images_alone(data: LabelledImages) -> None:
    made = with_camera_noise(data, 0, seed=0)
    assert torch.equal(made.images, data.images)
    assert torch.equal(made.labels, data.labels)
    assert made.name == data.name


def test_levels_are_spread_evenly_up_to_the_highest(data: LabelledImages) -> None:
    made = with_camera_noise(data, 20 / 255, seed=0).images.double()
    levels = made.flatten(1).std(dim=1)
    assert levels.min() < 1
    assert 18 < levels.max() < 21
    assert levels.mean().item() == pytest.approx(10, rel=0.1)
    assert made.mean().item() == pytest.approx(128, abs=0.1)


def test_noise_depends_on_the_seed(data: LabelledImages) -> None:
    one, again, other = (with_camera_noise(data, 0.01, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.images, again.images)
    assert not torch.equal(one.images, other.images)


def test_a_negative_level_is_refused(data: LabelledImages) -> None:
    with pytest.raises(InputError, match=r"camera_noise is -0.1; expected"):
        with_camera_noise(data, -0.1, seed=0)
