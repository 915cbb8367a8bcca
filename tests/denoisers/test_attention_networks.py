"""DeamNet, RIDNet, FAN, CurvPnP, CTNet, DGUNet and BRDNet: sizes, and what is peculiar to each.

All but the last were compared with their authors' code, weight for weight: equal to 1e-6. BRDNet's
is in Keras, and was read.
"""

from __future__ import annotations

import pytest
import torch
from robust_restoration_denoisers.brdnet import BRDNet
from robust_restoration_denoisers.ctnet import SIDE, CTNet
from robust_restoration_denoisers.curvpnp import CurvPnP, curvature
from robust_restoration_denoisers.deamnet import DeamNet
from robust_restoration_denoisers.dgunet import DGUNet, Merge
from robust_restoration_denoisers.fan import FAN, join, split
from robust_restoration_denoisers.ridnet import DIV2K, RIDNet
from torch import nn

from robust_restoration.errors import InputError


def test_sizes_are_those_of_the_released_code():
    # DeamNet's 2,225,825 less three convolutions and a 1x1 one that the code makes and never calls
    unused = sum(64 * 64 * k * k + 64 for k in (3, 5, 7)) + 3 * 64 * 64 + 64
    assert count(DeamNet()) == 2_225_825 - unused
    assert count(RIDNet()) == 1_499_347
    assert count(FAN()) == 12_293_595
    assert round(count(BRDNet()) / 1e6, 2) == 1.11
    with torch.device("meta"):
        assert count(CurvPnP()) == 53_748_288
        assert count(CTNet()) == 51_407_489
        # 17,331,512 less a convolution that the code makes and never calls
        assert count(DGUNet()) == 17_331_512 - 160 * 80 * 9


@pytest.mark.parametrize("network", [DeamNet, RIDNet, FAN])
def test_attention_narrows_sixteenfold(network):
    with pytest.raises(InputError, match="multiple of 16"):
        network(features=40)


def test_deamnet_pulls_each_iteration_back_to_the_observation():
    torch.manual_seed(0)
    model = DeamNet(features=16).double().eval()
    noisy = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        entered = model.enter(noisy)
        observed = entered + model.transform(entered)
        trusting = model.leave(observed + model.inverse(observed))
        assert not torch.allclose(model(noisy), trusting)
        for attention in model.attentions:
            attention.weigh[-2].bias.fill_(1e3)  # weights of 1: nothing but the observation counts
        assert torch.allclose(model(noisy), trusting)


def test_deamnet_runs_one_subnetwork_four_times():
    model, calls = DeamNet(features=16).eval(), []
    model.subnet.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        model(torch.rand(1, 1, 16, 16))
    assert len(calls) == 4


def test_ridnet_works_about_the_mean_colour():
    model = RIDNet(features=16).eval()
    nn.init.zeros_(model.tail.weight)
    nn.init.zeros_(model.tail.bias)
    noisy = torch.rand(1, 3, 8, 8)
    mean = torch.tensor(DIV2K)[:, None, None]
    with torch.no_grad():  # the released code adds the mean to the change, not to the image
        assert torch.allclose(model(noisy), noisy + mean)


def test_fan_splits_into_haars_bands_and_joins_them_again():
    plane = torch.rand(2, 1, 8, 16, dtype=torch.float64)
    bands = split(plane)
    assert torch.allclose(join(bands), plane)
    # An undecimated transform is redundant fourfold, and orthogonal but for that.
    assert float(bands.square().sum()) == pytest.approx(4 * float(plane.square().sum()))
    assert torch.allclose(split(torch.ones(1, 1, 4, 4))[0, :, 0, 0], torch.tensor([2.0, 0, 0, 0]))


def test_curvpnps_curvature_is_none_of_a_plane_and_some_of_a_bump():
    down, right = torch.meshgrid(*(torch.arange(9.0, dtype=torch.float64),) * 2, indexing="ij")
    plane = 0.02 * down + 0.03 * right
    inside = (..., slice(1, -1), slice(1, -1))
    assert curvature(plane[None, None])[inside].abs().max() < 1e-12
    bump = plane.clone()
    bump[4, 4] += 1
    found = curvature(bump[None, None])[0, 0]
    assert found[4, 4].abs() > 1e-3
    assert found[1, 1].abs() < 1e-12  # three pixels away it does not count


@pytest.mark.slow
def test_ctnet_restores_a_square_at_once_and_averages_the_middles_of_several():
    torch.manual_seed(0)
    model = CTNet(features=4).double().eval()
    noisy = torch.rand(2, 1, SIDE, SIDE + 20, dtype=torch.float64)
    with torch.no_grad():
        left, middle, right = (model.square(noisy[..., at : at + SIDE]) for at in (0, 12, 20))
        assert torch.allclose(model(noisy[..., :SIDE]), left)
        restored = model(noisy)
    assert torch.allclose(restored[..., :24], left[..., :24])
    both = (left[..., 24:32] + middle[..., 12:20]) / 2
    assert torch.allclose(restored[..., 24:32], both)
    three = (left[..., 32:36] + middle[..., 20:24] + right[..., 12:16]) / 3
    assert torch.allclose(restored[..., 32:36], three)
    assert torch.allclose(restored[..., 48:], right[..., 28:])


def test_ctnet_says_what_its_heads_and_squares_allow():
    with pytest.raises(InputError, match="multiple of 4"):
        CTNet(features=6)
    with pytest.raises(InputError, match="at most 24"):
        CTNet(features=4, stride=25)


def test_ctnet_sees_all_of_a_square():
    torch.manual_seed(0)
    model = CTNet(features=4).double().eval()
    noisy = torch.rand(1, 1, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    model(noisy)[0, 0, 0, 0].backward()
    assert noisy.grad[0, 0, -1, -1] != 0


def test_dgunet_projects_on_a_subspace_of_both_features():
    torch.manual_seed(0)
    merge = Merge(6).double()
    x, kept = torch.rand(2, 2, 6, 16, 16, dtype=torch.float64)
    seen = []
    merge.mix.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        merge(x, kept)
        projected = seen[0][:, 6:]
        basis = merge.subspace(torch.cat([x, kept], dim=1)).flatten(2)
        left = (kept - projected).flatten(2)
        assert (basis @ left.mT).abs().max() < 1e-6 * basis.abs().max() * left.abs().sum(2).max()
        assert not torch.allclose(projected, kept)


def test_dgunet_restores_flat_images():
    model = DGUNet(features=8).eval()
    flat = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    model(flat).sum().backward()
    assert flat.grad.isfinite().all()


def test_dgunet_runs_one_stage_five_times():
    model, calls = DGUNet(features=8).eval(), []
    model.shared.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        model(torch.rand(1, 3, 16, 16))
    assert len(calls) == 5


def test_brdnet_takes_the_noise_of_both_networks():
    torch.manual_seed(0)
    model = BRDNet(features=4).double().eval()
    dilations = [c.dilation[0] for c in model.lower if isinstance(c, nn.Conv2d)]
    assert [i for i, d in enumerate(dilations, 1) if d == 2] == [*range(2, 9), *range(10, 16)]
    noisy = torch.rand(1, 1, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        nn.init.zeros_(model.last.weight)
        model.last.weight[0, 0, 1, 1] = 2.0
        assert torch.allclose(model(noisy), noisy - 2 * (noisy - model.upper(noisy)))
        model.last.weight[0, 0, 1, 1] = 0.0
        model.last.weight[0, 1, 1, 1] = 1.0
        assert torch.allclose(model(noisy), model.lower(noisy))


def count(model):
    return sum(p.numel() for p in model.parameters())
