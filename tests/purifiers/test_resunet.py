"""The residual U-Net as a purifier."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_testing import check_plugin, check_purifier

from robust_restoration import create_purifier
from robust_restoration.errors import InputError
from robust_restoration.models.weights import save_weights

SMALL = {"widths": (8, 8, 16), "blocks": (1, 2, 1), "stem": 4}


def test_the_plugin_conforms() -> None:
    check_plugin("purifiers")


@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_conformance(channels: int, additive: bool) -> None:
    check_purifier(create_purifier("resunet", channels=channels, additive=additive, **SMALL).eval())


@pytest.mark.parametrize("size", [(17, 23), (32, 32), (5, 7), (1, 1)])
def test_any_image_size(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        out = create_purifier("resunet", **SMALL).eval()(images)
    assert out.shape == images.shape
    assert 0 <= float(out.min()) <= float(out.max()) <= 1


def test_it_starts_near_the_image_or_near_gray() -> None:
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        added = create_purifier("resunet", **SMALL).eval()(images)
        alone = create_purifier("resunet", additive=False, **SMALL).eval()(images)
    assert (added - images).abs().mean() < 0.1
    assert (alone - 0.5).abs().mean() < 0.1


def test_without_the_image_all_goes_through_the_network() -> None:
    model = create_purifier("resunet", additive=False, **SMALL).eval()
    torch.nn.init.zeros_(model.decoder.out.weight)
    with torch.no_grad():
        assert torch.equal(model(torch.rand(1, 3, 16, 16)), torch.full((1, 3, 16, 16), 0.5))


def test_features_are_of_the_last_width() -> None:
    model = create_purifier("resunet", **SMALL).eval()
    assert model.features(torch.rand(2, 3, 12, 9)).shape == (2, 16)


def test_every_parameter_is_trained() -> None:
    model = create_purifier("resunet", **SMALL).train()
    model(torch.rand(4, 3, 16, 16)).square().mean().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None]
    assert not silent


def test_weights_rebuild_the_network(tmp_path) -> None:
    model = create_purifier("resunet", additive=False, **SMALL).eval()
    path = tmp_path / "model.safetensors"
    save_weights(model, path, kind="purifiers", name="resunet")
    again = create_purifier("resunet", weights=str(path))
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(again(images), model(images))


@pytest.mark.parametrize(
    "options", [{"widths": (8, 8)}, {"blocks": (1, 0, 1)}, {"stem": 0}, {"channels": 0}]
)
def test_bad_options(options) -> None:
    with pytest.raises(InputError, match="nothing below 1"):
        create_purifier("resunet", **options)
