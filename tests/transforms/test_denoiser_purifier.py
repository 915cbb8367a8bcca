"""Denoisers, registered ones and plain modules, as purifiers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from robust_restoration_testing import check_purifier
from torch import Tensor, nn

from robust_restoration import create_denoiser, create_purifier, save_weights
from robust_restoration.contracts import Denoiser, Purifier
from robust_restoration.errors import InputError, UnknownNameError, WeightsError
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target


def wrap(*args: Any, **options: Any) -> Any:
    offer, _ = registry().find("purifiers", "denoiser:any")
    return load_target(offer.entry)(*args, **options)


class _Plain(nn.Module):
    """A module that knows nothing of this package; ``channels`` means its own widths."""

    channels = (8, 16)

    def __init__(self, scale: float = 0.5) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, images: Tensor) -> Tensor:
        return images * self.scale


class _Told(Denoiser):
    blind = False

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        assert self.channels in (None, noisy.shape[1])
        assert sigma is not None
        return noisy - sigma


class _Opaque(Denoiser):
    differentiable = False

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        return noisy * 0.9  # would carry gradients, were it let


class _Dither(Denoiser):
    random = True

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        return noisy + 0.01 * torch.rand_like(noisy)


class _Crop(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images[..., 1:]


@pytest.mark.parametrize(
    "purifier",
    [
        pytest.param(lambda: wrap(_Plain()), id="plain"),
        pytest.param(lambda: wrap(_Told(), sigma=0.02), id="told"),
        pytest.param(lambda: wrap(_Told(1), sigma=0.02), id="gray"),
        pytest.param(lambda: wrap(_Told(3), sigma=0.02), id="colour"),
        pytest.param(lambda: wrap(_Opaque()), id="opaque"),
        pytest.param(lambda: wrap(_Dither()), id="random"),
        pytest.param(lambda: create_purifier("denoiser:dncnn_test"), id="dncnn"),
        pytest.param(lambda: create_purifier("denoiser:ffdnet_test", sigma=0.1), id="ffdnet"),
    ],
)
def test_conformance(purifier: Any) -> None:
    made = purifier()
    assert isinstance(made, Purifier)
    check_purifier(made)


def test_any_module_is_a_purifier(images: Tensor) -> None:
    torch.testing.assert_close(wrap(_Plain())(images), images / 2)
    assert wrap(_Plain(-1.0))(images).amin().item() == 0  # brought back into [0, 1]
    assert wrap(_Plain(9.0))(images).amax().item() == 1


def test_by_name_it_is_that_denoiser(images: Tensor) -> None:
    torch.manual_seed(7)
    purifier = create_purifier("denoiser:dncnn_test", channels=3)
    torch.manual_seed(7)
    denoiser = create_denoiser("dncnn_test", channels=3).eval()
    assert torch.equal(purifier(images), denoiser(images).clamp(0, 1))


def test_sigma_reaches_the_denoiser(images: Tensor) -> None:
    out = wrap(_Told(), sigma=0.1)(images)
    torch.testing.assert_close(out, (images - 0.1).clamp(0, 1))


def test_a_gray_denoiser_restores_colour_a_channel_at_a_time(images: Tensor) -> None:
    purifier = create_purifier("denoiser:dncnn_test")
    for channel in range(3):
        alone = purifier(images[:, channel : channel + 1])
        torch.testing.assert_close(purifier(images)[:, channel : channel + 1], alone)


def test_a_colour_denoiser_refuses_gray(images: Tensor) -> None:
    with pytest.raises(InputError, match="expected 3"):
        create_purifier("denoiser:dncnn_test", channels=3)(images[:, :1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_images_of_another_precision_than_the_denoiser(dtype: torch.dtype, images: Tensor) -> None:
    purifier = create_purifier("denoiser:dncnn_test")
    given = images.to(dtype)
    out = purifier(given)
    assert out.dtype == dtype
    assert torch.equal(out, purifier(given.float()).to(dtype))


def test_an_image_does_not_depend_on_its_batch(images: Tensor) -> None:
    purifier = create_purifier("denoiser:dncnn_test")  # has batch norm; new modules are in train
    before = {name: value.clone() for name, value in purifier.state_dict().items()}
    alone = torch.cat([purifier(image[None]) for image in images])
    torch.testing.assert_close(purifier(images), alone)
    assert all(torch.equal(value, before[n]) for n, value in purifier.state_dict().items())


def test_a_module_keeps_its_mode() -> None:
    assert wrap(_Plain().train()).denoiser.training
    assert not wrap(_Plain().eval()).denoiser.training


def test_gradients_are_as_the_denoiser_declares(images: Tensor) -> None:
    images.requires_grad_()
    assert wrap(_Opaque()).differentiable is False
    assert not wrap(_Opaque())(images).requires_grad
    purifier = create_purifier("denoiser:dncnn_test")
    assert purifier.differentiable is True
    (gradient,) = torch.autograd.grad(purifier(images).sum(), images)
    assert (gradient.abs().amax((1, 2, 3)) > 0).all()
    assert wrap(_Dither()).random is True


def test_options_make_it_again() -> None:
    purifier = create_purifier("denoiser:ffdnet_test", sigma=0.1)
    options = json.loads(json.dumps(purifier.options))
    assert options["sigma"] == 0.1
    again = create_purifier("denoiser:ffdnet_test", **options)
    assert again.options == purifier.options
    again.load_state_dict(purifier.state_dict())  # the same architecture


def test_weights_are_the_denoisers(tmp_path: Path, images: Tensor) -> None:
    denoiser = create_denoiser("dncnn_test", features=4)
    file = tmp_path / "mine.safetensors"
    save_weights(denoiser, file, kind="denoisers", name="dncnn_test")
    purifier = wrap("dncnn_test", weights=str(file))  # built as the file says
    assert purifier.options["features"] == 4
    assert "weights" not in purifier.options
    expected = denoiser.eval()(images[:, :1]).clamp(0, 1)
    assert torch.equal(purifier(images[:, :1]), expected)
    with pytest.raises(WeightsError):
        wrap("dncnn_test", weights=str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize("sigma", [0, -0.1, 25, float("nan"), "0.1"])
def test_bad_sigma(sigma: Any) -> None:
    with pytest.raises(InputError, match=r"^sigma is .*fractions? of"):
        wrap("dncnn_test", sigma=sigma)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="needs the noise level"):
        wrap(_Told())
    with pytest.raises(InputError, match="cannot be told sigma"):
        wrap(_Plain(), sigma=0.1)
    with pytest.raises(InputError, match="weights, depth came with a module"):
        wrap(_Plain(), weights="hat", depth=3)
    with pytest.raises(InputError, match="denoiser is a int"):
        wrap(3)
    with pytest.raises(InputError, match="takes no option 'dept'"):
        create_purifier("denoiser:dncnn", dept=3)
    with pytest.raises(UnknownNameError, match="Did you mean 'dncnn"):
        create_purifier("denoiser:dncn")


def test_a_denoiser_that_changes_the_shape(images: Tensor) -> None:
    with pytest.raises(InputError, match="must keep the shape"):
        wrap(_Crop())(images)
