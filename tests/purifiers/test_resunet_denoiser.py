"""The residual U-Net as a denoiser."""

import pytest
import torch
from robust_restoration_purifiers.resunet import ResUNet

import robust_restoration as rr
from robust_restoration.errors import InputError

SMALL = {"widths": (4, 8, 8), "blocks": (1, 1, 1), "stem": 4}


@pytest.mark.parametrize("size", [(32, 32), (19, 30)])
def test_it_keeps_the_size_and_depends_on_every_part(size):
    denoiser = rr.create_denoiser("resunet_denoiser", **SMALL).eval()
    noisy = torch.rand(2, 3, *size, requires_grad=True)
    denoiser(noisy).sum().backward()
    assert denoiser(noisy).shape == noisy.shape
    assert bool((noisy.grad != 0).any(dim=1).all())


def test_it_is_the_purifier_without_the_clamp():
    denoiser = rr.create_denoiser("resunet_denoiser", **SMALL).eval()
    torch.nn.init.constant_(denoiser.network.decoder.out.bias, 0.45)
    purifier = ResUNet(**SMALL, additive=False).eval()
    purifier.load_state_dict(denoiser.network.state_dict())
    noisy = 0.5 + 0.25 * torch.randn(2, 3, 32, 32)
    drawn = denoiser(noisy)
    assert float(drawn.max()) > 1
    assert torch.equal(drawn.clamp(0, 1), purifier(noisy))


def test_weights_keep_what_it_was_built_with(tmp_path):
    denoiser = rr.create_denoiser("resunet_denoiser", **SMALL, sigma_range=(0.1, 0.2)).eval()
    path = tmp_path / "a.safetensors"
    rr.save_weights(denoiser, path, kind="denoisers", name="resunet_denoiser")
    again = rr.create_denoiser("resunet_denoiser", weights=str(path))
    noisy = torch.rand(1, 3, 16, 16)
    assert again.sigma_range == (0.1, 0.2)
    assert torch.equal(again(noisy), denoiser(noisy))


def test_other_channels_are_refused():
    with pytest.raises(InputError, match="channels"):
        rr.create_denoiser("resunet_denoiser", **SMALL)(torch.rand(1, 1, 16, 16))
