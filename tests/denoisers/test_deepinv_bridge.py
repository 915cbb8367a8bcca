import pytest
import torch
from robust_restoration_testing import check_denoiser

import robust_restoration as rr
from robust_restoration.errors import InputError, PluginError, UnknownNameError
from robust_restoration.plugins.targets import importable

installed = pytest.mark.skipif(not importable("deepinv"), reason="the extra deepinv is not there")


@pytest.mark.skipif(importable("deepinv"), reason="the extra deepinv is installed")
def test_without_deepinv_it_says_what_to_install():
    with pytest.raises(PluginError, match=r"robust_restoration\[deepinv\]"):
        rr.create_denoiser("deepinv:drunet")


@pytest.mark.slow
@installed
def test_a_network_of_theirs_conforms():
    denoiser = rr.create_denoiser("deepinv:dncnn", in_channels=1, out_channels=1, depth=4, nf=8)
    check_denoiser(denoiser.eval())


@installed
def test_same_as_calling_theirs():
    import deepinv

    torch.manual_seed(0)
    ours = rr.create_denoiser("deepinv:DRUNet", nc=(8, 8, 8, 8), nb=1).eval()
    theirs = deepinv.models.DRUNet(nc=(8, 8, 8, 8), nb=1, pretrained=None).eval()
    theirs.load_state_dict(ours.model.state_dict())
    noisy = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(ours(noisy, 0.1), theirs(noisy, 0.1))
    with pytest.raises(InputError, match="told the noise level"):
        ours(noisy)


@installed
def test_it_can_be_attacked():
    denoiser = rr.create_denoiser("deepinv:drunet", nc=(8, 8, 8, 8), nb=1)
    clean = torch.rand(1, 3, 16, 16)
    noisy = clean + 0.1 * torch.randn(clean.shape)
    attacked = rr.create_attack("obsatk", denoiser, sigma=0.1)(noisy, clean)
    assert attacked.shape == noisy.shape


@installed
def test_bad_names_and_options():
    with pytest.raises(UnknownNameError, match="drunet"):
        rr.create_denoiser("deepinv:drunett")
    with pytest.raises(InputError, match="was not made"):
        rr.create_denoiser("deepinv:drunet", width=3)
