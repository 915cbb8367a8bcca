"""The studies of an image's neighbourhood, of patches, sizes, histograms and densities."""

import json
import math

import pytest
import torch
from PIL import Image
from robust_restoration_studies import (
    clean_attack,
    explore_space,
    log_densities,
    minimal_perturbation,
    noise_histogram,
    patch_attacks,
    radius_sweep,
)
from robust_restoration_studies.space import disc_samples
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError

WORD = "denoising_pgd target=noisy steps=2 eps=4"


class Blur(nn.Module):
    def forward(self, noisy):
        return nn.functional.avg_pool2d(noisy, 3, 1, 1, count_include_pad=False)


class Halves(nn.Module):
    """Moves half way to gray, whatever comes: an error that is known."""

    def forward(self, noisy):
        return (noisy + 0.5) / 2


@pytest.fixture
def clean():
    draw = torch.Generator().manual_seed(0)
    rough = torch.rand(3, 1, 5, 5, generator=draw)
    return nn.functional.interpolate(rough, size=(24, 28), mode="bilinear")


def test_a_disc_s_circles_have_their_radii(clean):
    noisy, _ = rr.Gaussian(0.1)(clean, seed=0)
    attacked = rr.create_attack("fgsm", Blur())(noisy, clean)
    angles = torch.tensor([0.0, math.pi / 2, 2.0])
    disc = disc_samples(noisy[0], clean[0], attacked[0], torch.tensor([0.5, 2.0]), angles)
    assert disc.shape == (2, 3, 1, 24, 28)
    length = (attacked - noisy)[0].norm()
    sizes = (disc - noisy[0]).flatten(2).norm(dim=2)
    assert torch.allclose(sizes, torch.tensor([[0.5], [2.0]]) * length, rtol=1e-4)
    noise = (noisy - clean)[0]
    along = (disc[0, 1] - noisy[0]) / (0.5 * length)
    assert torch.allclose(along, noise / noise.norm(), atol=1e-5)


def test_space(clean, tmp_path):
    found = explore_space(
        Blur(), clean, attack=WORD, number=1, radii=2, angles=8, latitudes=3, steps=3
    )
    # Where the studies meet, they agree: at the attack's length, 90 degrees is along the noise,
    # and so is the sphere's own longitude 0 at latitude 0.
    assert found.radii[0] == 1.0
    assert found.disc[0][2] == pytest.approx(found.spheres[0][1][0], abs=1e-3)
    assert found.disc[0][6] == pytest.approx(found.spheres[0][1][4], abs=1e-3)
    assert found.disc[0][2] > 0 > found.disc[0][6]
    # All of the noise mixed in is the noise itself.
    share, alone, drop = found.mixes[-1]
    assert share == 1.0
    assert alone == pytest.approx(0.0, abs=1e-4)
    assert drop == pytest.approx(found.psnr - found.attacked, abs=1e-4)
    found.plot(tmp_path / "space.png")
    assert Image.open(tmp_path / "space.png").size[0] > 1000
    found.to_json(tmp_path / "space.json")
    assert json.loads((tmp_path / "space.json").read_text())["settings"]["attack"] == WORD
    with pytest.raises(InputError, match="number is 3 and there are 3 images"):
        explore_space(Blur(), clean, attack=WORD, number=3)


def test_patches(clean):
    found = patch_attacks(Blur(), clean, attack="fgsm eps=8", patch=(4, 6, 12, 10))
    for way in ("cut out", "made inside"):
        for before, after in zip(found.inside["noisy"], found.inside[way], strict=True):
            assert after < before - 0.1
        for before, after in zip(found.outside["noisy"], found.outside[way], strict=True):
            assert abs(after - before) < 0.5  # a blur of 3x3 reaches one pixel out
    with pytest.raises(InputError, match="all of the image"):
        patch_attacks(Blur(), clean, patch=(0, 0, 24, 28))


def test_radius(clean):
    found = radius_sweep(
        {"blur": Blur(), "again": Blur()}, clean, attack=WORD, radii=3, angles=(90, 270)
    )
    assert found.drops["blur"] == found.drops["again"]
    along, against = found.drops["blur"]
    assert 0 < along[0] < along[1] < along[2]
    assert against[0] < 0


def test_minimal_perturbation_of_a_denoiser_whose_error_is_known():
    # Restored is (y + 1/2) / 2, at an error of (1/2 - x) / 2 + (y - x) / 2, all of it positive.
    clean = torch.full((2, 1, 16, 16), 0.3)
    found = minimal_perturbation(
        Halves(), clean, sigma=1e-6, threshold=1.0, highest=32 / 255, halvings=12,
        attack="fgsm clip=none",
    )
    # Errors e / e0 = 10^(1/20), e0 = 0.1, e = e0 + eps / 2.
    expected = 2 * 0.1 * (10 ** (1 / 20) - 1)
    for eps, rms, drop in zip(found.eps, found.rms, found.drop, strict=True):
        assert eps == pytest.approx(expected, abs=2 * 32 / 255 / 2**12)
        assert rms == pytest.approx(eps, rel=1e-3)
        assert drop > 1.0
    none = minimal_perturbation(Halves(), clean, threshold=30, attack="fgsm", highest=2 / 255)
    assert none.eps == [None, None]
    assert "> 2.00" in none.to_markdown()
    with pytest.raises(InputError, match="alpha would stay"):
        minimal_perturbation(Halves(), clean, attack="denoising_pgd alpha=1")


def test_clean_attack(clean):
    found = clean_attack(Blur(), clean, attack=WORD, on_clean="fgsm eps=20")
    for name in ("attack on the clean image", "noise as long"):
        assert max(found.level[name]) <= 20 / 255 + 1e-6
    assert found.level["attack on the clean image"] == pytest.approx(
        found.level["noise as long"], rel=1e-4
    )
    # A blur takes noise away, and not what was made to get through it.
    for attacked, noise in zip(
        found.psnr["attack on the clean image"], found.psnr["noise as long"], strict=True
    ):
        assert attacked < noise - 1


def test_noise_histograms(clean):
    large = nn.functional.interpolate(clean, size=(96, 96))
    words = ["denoising_pgd eps=1 steps=1", "dag"]
    found = noise_histogram(Blur(), large, attacks=words, sigma=25 / 255)
    alone, near, far = (sum(found.distance[name]) / 3 for name in found.names)
    assert alone < near < far
    assert found.level["noise alone"][0] == pytest.approx(25 / 255, rel=0.05)
    width = found.edges[1] - found.edges[0]
    assert sum(found.density["noise alone"]) * width == pytest.approx(1.0, abs=0.01)


def test_log_densities(clean):
    large = nn.functional.interpolate(clean, size=(80, 80))
    found = log_densities(Blur(), large, attack=WORD, count=400, sigma=25 / 255)
    means = {name: sum(values) / len(values) for name, values in found.values.items()}
    plain, attacked, sampled, mixed = means.values()
    assert plain == pytest.approx(0.0, abs=0.004)
    # 26.1 / 25 squared, halved: what K = 100 of TS sampling comes to.
    assert sampled == pytest.approx(((26.1 / 25) ** 2 - 1) / 2, abs=0.005)
    assert mixed == pytest.approx(((26 / 25) ** 2 - 1) / 4, abs=0.005)
    assert attacked > plain + 0.002
    assert len(found.values[f"attacked: {WORD}"]) == 3 * 4


VERBS = {
    "adversarial-space": ["--radii", "1", "--angles", "8", "--latitudes", "3", "--steps", "2"],
    "patch": ["--patch", "4,4,12,12"],
    "radius": ["--radii", "1"],
    "minimal-perturbation": ["--threshold", "0.01", "--highest", "8"],
    "clean-attack": ["--on-clean", "fgsm eps=8"],
    "noise-histogram": [],
    "log-density": ["--side", "16"],
    "local-worst-case": ["--steps", "2", "--probes", "2"],
}
SLOW = ("adversarial-space", "local-worst-case", "patch")


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(verb, marks=pytest.mark.slow if verb in SLOW else ()) for verb in VERBS
    ],
)
def test_commands(verb, clean, tmp_path, run):
    rr.write_image(clean[0], tmp_path / "photos" / "0.png")
    words = ["--denoiser", "dncnn_b=nt", "--data", tmp_path / "photos", "-o", tmp_path / "out"]
    if verb != "local-worst-case":
        words += ["--attack", "denoising_pgd target=noisy clip=paper eps=3 steps=1"]
    status, out, err = run(verb, *words, *VERBS[verb], "--json")
    assert status == 0, err
    assert json.loads(out) == json.loads((tmp_path / "out.json").read_text())
    assert (tmp_path / "out.md").read_text().startswith("|")
    assert Image.open(tmp_path / "out.png").size[0] > 300
    if verb != "local-worst-case":
        named = json.loads(out)["settings"]["attack"]
        assert "clip=paper eps=3" in (named if isinstance(named, str) else named[0])
    status, out, _ = run(verb, "--help")
    assert f"Example:  robust-restoration {verb}" in out


@pytest.mark.parametrize(
    ("verb", "words", "said"),
    [
        ("patch", ["--patch", "1,2"], "expected top,left,height,width"),
        ("patch", ["--patch", "0,0,99,99"], "within (24, 28)"),
        ("radius", ["--most", "0"], "most is 0.0"),
        ("minimal-perturbation", ["--threshold", "-1"], "threshold is -1.0"),
        ("clean-attack", ["--on-clean", "nothing"], "nothing"),
        ("noise-histogram", ["--attack", "fgsm speed=2"], "speed"),
        ("log-density", ["--side", "0"], "side is 0"),
        ("adversarial-space", ["--number", "7"], "number is 7"),
    ],
)
def test_bad_input_is_one_sentence(verb, words, said, clean, tmp_path, run):
    rr.write_image(clean[0], tmp_path / "photos" / "0.png")
    status, _, err = run(
        verb, "--denoiser", "dncnn_b=nt", "--data", tmp_path / "photos", *words
    )
    assert status == 2
    assert err.count("\n") == 1
    assert said in err
