"""BM3D: how its package is called, with one made up in its place; and the package itself."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from robust_restoration_denoisers.bm3d import BM3D
from robust_restoration_testing import check_denoiser

from robust_restoration.errors import InputError
from robust_restoration.images.metrics import psnr
from robust_restoration.plugins.targets import importable


@pytest.fixture
def calls(monkeypatch):
    """What a made-up package is called with; it restores an image to itself plus sigma."""
    made = []

    def function(name):
        def restore(image, sigma, profile):
            made.append((name, image.shape, sigma, profile.name))
            assert profile.num_threads == 1
            return image + sigma

        return restore

    package = SimpleNamespace(
        bm3d=function("bm3d"),
        bm3d_rgb=function("bm3d_rgb"),
        BM3DProfile=lambda: SimpleNamespace(name="normal"),
        BM3DProfileHigh=lambda: SimpleNamespace(name="high"),
    )
    monkeypatch.setitem(sys.modules, "bm3d", package)
    return made


def test_gray_images_go_one_by_one_each_with_its_level(calls):
    noisy = torch.rand(2, 1, 9, 12)
    restored = BM3D(profile="high")(noisy, torch.tensor([0.25, 0.5]))
    assert calls == [("bm3d", (9, 12), 0.25, "high"), ("bm3d", (9, 12), 0.5, "high")]
    assert torch.allclose(restored, noisy + torch.tensor([0.25, 0.5])[:, None, None, None])
    assert restored.dtype == noisy.dtype


def test_colour_images_go_with_channels_last(calls):
    noisy = torch.rand(1, 3, 9, 12)
    restored = BM3D()(noisy, 0.25)
    assert calls == [("bm3d_rgb", (9, 12, 3), 0.25, "normal")]
    assert torch.allclose(restored, noisy + 0.25)


def test_gray_in_three_channels_goes_channel_by_channel(calls):
    BM3D()(torch.rand(1, 1, 9, 12).expand(-1, 3, -1, -1), 0.25)
    assert [call[:2] for call in calls] == [("bm3d", (9, 12))] * 3


def test_no_noise_is_left_alone(calls):
    noisy = torch.rand(2, 1, 9, 12)
    assert torch.equal(BM3D()(noisy, 0.0), noisy)
    assert not calls


@pytest.mark.usefixtures("calls")
def test_no_gradients_flow():
    assert not BM3D()(torch.rand(1, 1, 9, 9, requires_grad=True), 0.1).requires_grad
    assert not BM3D.differentiable


@pytest.mark.usefixtures("calls")
def test_keeps_the_contract():  # the package takes a second an image, whatever its size
    check_denoiser(BM3D(), sizes=((17, 23),), dtypes=(torch.float32,))


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("shape", "sigma", "match"),
    [
        ((1, 1, 8, 8), None, "noise level"),
        ((1, 2, 8, 8), 0.1, "channels"),
        ((1, 1, 7, 20), 0.1, "8x8"),
        ((1, 8, 8), 0.1, "shape"),
    ],
)
def test_refuses(shape, sigma, match):
    with pytest.raises(InputError, match=match):
        BM3D()(torch.rand(shape), sigma)


def test_refuses_an_unknown_profile():
    with pytest.raises(InputError, match="np, refilter"):
        BM3D(profile="fast")


@pytest.mark.skipif(not importable("bm3d"), reason="the extra bm3d is not installed")
class TestThePackage:
    @pytest.mark.slow
    @pytest.mark.parametrize("channels", [1, 3])
    def test_takes_noise_away(self, photographs, channels):
        clean = photographs[:2, :channels]
        noisy = clean + 0.1 * torch.from_numpy(np.random.default_rng(0).normal(size=clean.shape))
        restored = BM3D()(noisy.float(), 0.1)
        assert (psnr(restored, clean) > psnr(noisy, clean) + 1.5).all()

    @pytest.mark.slow
    def test_gray_in_three_channels(self, photographs):
        gray = photographs[:1, :1]
        assert BM3D()(gray.expand(-1, 3, -1, -1), 0.1).isfinite().all()
