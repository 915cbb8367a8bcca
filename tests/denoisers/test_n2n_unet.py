"""Noise2Noise's U-Net: its shared weights, and that sizes do not matter."""

from __future__ import annotations

import torch
from robust_restoration_denoisers.n2n_unet import N2NUNet


def count_calls(module):
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_inner_blocks_share_their_weights():
    model = N2NUNet(features=8).eval()
    down, up = count_calls(model.down), count_calls(model.up)
    with torch.no_grad():
        model(torch.rand(1, 3, 32, 32))
    assert (len(down), len(up)) == (4, 3)


def test_has_as_many_weights_as_published():
    assert round(sum(p.numel() for p in N2NUNet().parameters()) / 1e6, 2) == 0.70


def test_padding_repeats_the_last_line():
    model = N2NUNet(features=8, channels=1).eval()
    noisy = torch.rand(1, 1, 30, 64)
    longer = torch.cat([noisy, noisy[..., -1:, :], noisy[..., -1:, :]], dim=2)
    with torch.no_grad():
        assert torch.equal(model(noisy), model(longer)[..., :30, :])


def test_the_output_is_the_image_through_a_leaky_relu():
    model = N2NUNet(features=8).eval()
    noisy = torch.rand(1, 3, 32, 32)
    before = []
    model.leave[-2].register_forward_hook(lambda module, args, out: before.append(out))
    with torch.no_grad():
        restored = model(noisy)
    assert (before[0] < 0).any()
    assert torch.allclose(restored, torch.where(before[0] < 0, 0.1 * before[0], before[0]))
