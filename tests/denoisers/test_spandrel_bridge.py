"""The bridge to spandrel: what it reads and refuses, and that it computes what spandrel does."""

from __future__ import annotations

import os
import pickle
import warnings

import pytest
import torch
from published import SIGMA
from robust_restoration_testing import check_denoiser
from safetensors.torch import save_file

import robust_restoration as rr
from robust_restoration import verbs
from robust_restoration.errors import InputError
from robust_restoration.plugins.targets import importable

pytestmark = pytest.mark.skipif(not importable("spandrel"), reason="spandrel is not there")


@pytest.fixture
def dncnn(tmp_path):
    """A small DnCNN under KAIR's names, in a file of safetensors."""
    return stored(tmp_path, "dncnn.safetensors", chain(1, 1))


def test_a_network_from_a_file_conforms(dncnn):
    denoiser = rr.create_denoiser(f"spandrel:{dncnn}")
    assert (denoiser.architecture, denoiser.channels, denoiser.blind) == ("DnCNN", 1, True)
    check_denoiser(denoiser.eval())


def test_a_told_network_is_given_the_level(tmp_path):
    from spandrel.architectures.DRUNet import DRUNet

    torch.manual_seed(0)
    theirs = DRUNet(in_nc=4, out_nc=3, nc=[8, 8, 8, 8], nb=4).eval()
    file = stored(tmp_path, "drunet.safetensors", theirs.state_dict())
    ours = rr.create_denoiser(f"spandrel:{file}").eval()
    noisy = torch.rand(2, 3, 16, 24)
    levels = torch.tensor([0.1, 0.3])
    maps = levels[:, None, None, None].expand(2, 1, 16, 24)
    with torch.no_grad():
        assert torch.equal(ours(noisy, levels), theirs(torch.cat([noisy, maps], dim=1)))
    with pytest.raises(InputError, match="told the noise level"):
        ours(noisy)
    check_denoiser(ours)


def test_same_as_calling_theirs_where_sides_are_padded(tmp_path):
    import spandrel
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    network = SwinIR(
        img_size=8, in_chans=1, embed_dim=4, depths=[2], num_heads=[2], window_size=4,
        upsampler="", resi_connection="1conv",
    )
    file = stored(tmp_path, "swinir.safetensors", network.state_dict())
    ours = rr.create_denoiser(f"spandrel:{file}").eval()
    theirs = spandrel.ModelLoader().load_from_file(file)
    noisy = torch.rand(1, 1, 9, 14)
    with torch.no_grad():
        assert torch.allclose(ours(noisy).clamp(0, 1), theirs(noisy), atol=1e-6)
    clean = torch.rand(1, 1, 8, 8)
    attacked = rr.create_attack("obsatk", ours, sigma=0.1)(clean, clean)
    assert not torch.equal(attacked, clean)  # gradients flow


def test_a_file_needs_no_other_weights(dncnn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verbs.load_denoiser(f"spandrel:{dncnn}")


def test_reads_a_checkpoint_of_tensors_alone(tmp_path, dncnn):
    file = tmp_path / "dncnn.pth"
    torch.save({"params": chain(1, 1)}, file)
    noisy = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(*(rr.create_denoiser(f"spandrel:{f}")(noisy) for f in (file, dncnn)))


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("save", [torch.save, lambda x, f: f.write_bytes(pickle.dumps(x))])
def test_a_pickle_that_runs_code_is_refused_and_runs_none(tmp_path, save):
    mark = tmp_path / "it-ran"
    save({"params": Bomb(mark)}, tmp_path / "bomb.pth")
    with pytest.raises(InputError, match=r"other things than tensors|no checkpoint"):
        rr.create_denoiser(f"spandrel:{tmp_path / 'bomb.pth'}")
    assert not mark.exists()


def test_bad_files_are_refused_in_a_sentence(tmp_path):
    odd = stored(tmp_path, "odd.safetensors", {"layer.weight": torch.zeros(3)})
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no tensors here")
    listed = tmp_path / "listed.pth"
    torch.save([torch.zeros(2)], listed)
    for file, match in (
        (tmp_path / "missing.pth", "no file"),
        (tmp_path, "no file"),
        (odd, "does not know"),
        (broken, "no file of safetensors"),
        (listed, "dictionary"),
        (stored(tmp_path, "weights.bin", chain(1, 1)), "expected .safetensors"),
    ):
        with pytest.raises(InputError, match=match):
            rr.create_denoiser(f"spandrel:{file}")


def test_published_weights_restore(weights_root, data_root):
    """KAIR's DnCNN gives through spandrel what it gives through ours."""
    from published import load_published

    file = weights_root / "dncnn_gray_sigma25.safetensors"
    theirs = rr.create_denoiser(f"spandrel:{file}").eval()
    noisy = torch.rand(1, 1, 16, 16) + SIGMA * torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        ours = load_published(weights_root, "dncnn_gray_sigma25")(noisy)
        assert torch.allclose(theirs(noisy), ours, atol=1e-5)


def chain(inputs, outputs):
    """Tensors of a DnCNN of nine convolutions, as KAIR names them."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for place, (i, o) in enumerate([(inputs, 8), *[(8, 8)] * 7, (8, outputs)]):
        state[f"model.{2 * place}.weight"] = torch.randn(o, i, 3, 3, generator=generator) / 8
        state[f"model.{2 * place}.bias"] = torch.randn(o, generator=generator) / 8
    return state


def stored(folder, name, state):
    save_file({key: value.contiguous() for key, value in state.items()}, folder / name)
    return folder / name
