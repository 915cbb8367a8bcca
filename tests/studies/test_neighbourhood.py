import pytest
import torch
from robust_restoration_studies import adversarial_space, patch_attack
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError


class Blur(nn.Module):
    def forward(self, noisy):
        return nn.functional.avg_pool2d(noisy, 3, 1, 1, count_include_pad=False)


@pytest.fixture
def pair():
    clean = nn.functional.interpolate(torch.rand(2, 1, 5, 5), size=(24, 28), mode="bilinear")
    return clean + 0.1 * torch.randn(clean.shape), clean


def test_the_line_s_ends_are_its_images(pair):
    noisy, clean = pair
    attacks = [
        rr.create_attack(name, Blur(), seed=0)(noisy, clean) for name in ("obsatk", "fgsm")
    ]
    line = adversarial_space(Blur(), clean, *attacks, steps=5)
    assert line.shape == (5, 2)
    assert torch.allclose(line[4], rr.psnr(Blur()(attacks[0]), clean))
    assert torch.allclose(line[0], rr.psnr(Blur()(attacks[1]), clean))
    middle = rr.psnr(Blur()((attacks[0] + attacks[1]) / 2), clean)
    assert torch.allclose(line[2], middle, atol=1e-4)
    with pytest.raises(InputError, match="at least 2 points"):
        adversarial_space(Blur(), clean, *attacks, steps=1)


@pytest.mark.parametrize("way", ["cut out", "made inside"])
def test_a_patch_is_attacked_and_nothing_else(way, pair):
    noisy, clean = pair
    attack = rr.create_attack("denoising_pgd", Blur(), eps=8 / 255, seed=0)
    found = patch_attack(attack, noisy, clean, (6, 8, 10, 12), way=way)
    changed = found != noisy
    assert changed[..., 6:16, 8:20].float().mean() > 0.9
    changed[..., 6:16, 8:20] = False
    assert not changed.any()
    inside = (..., slice(7, 15), slice(9, 19))
    before, after = ((Blur()(i) - clean)[inside].square().mean() for i in (noisy, found))
    assert after > before


def test_bad_patches(pair):
    attack = rr.create_attack("fgsm", Blur())
    for patch, way in (((0, 0, 25, 5), "cut out"), ((0, 0, 0, 5), "cut out"), ((0, 0, 5, 5), "x")):
        with pytest.raises(InputError, match="within"):
            patch_attack(attack, *pair, patch, way=way)
