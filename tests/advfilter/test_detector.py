"""The detector of attacked images within the fusion net."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_advfilter.detector import Detector
from robust_restoration_advfilter.networks import FusionNet


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (17, 23), (32, 32)])
def test_one_number_an_image_of_any_size(channels: int, size: tuple[int, int]) -> None:
    found = Detector(channels).eval()(torch.rand(2, channels, *size))
    assert found.shape == (2,)
    assert found.isfinite().all()


def test_under_autocast() -> None:
    detector = Detector(3).eval()
    grain = torch.rand(2, 3, 32, 32) - 0.5
    with torch.autocast("cpu", torch.bfloat16):
        rough = detector(grain)
    assert rough.dtype == torch.float32
    assert torch.allclose(rough, detector(grain), atol=0.05)


def test_an_untrained_fusion_net_goes_by_its_detector() -> None:
    fusion = FusionNet(8, Detector(3)).eval()
    images = torch.rand(2, 3, 16, 16)
    weight = fusion(torch.rand(2, 2, 8, 8), images)
    assert weight.shape == (2, 1, 8, 8)
    assert torch.equal(weight, weight[..., :1, :1].expand(-1, -1, 8, 8))
