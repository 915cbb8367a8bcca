"""Noise models: moments against theory, and what an image's random numbers depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from robust_restoration_noises.impulse import Impulse
from robust_restoration_noises.mixed_levels import MixedLevels
from robust_restoration_noises.poisson import Poisson
from robust_restoration_noises.replacement_gaussian import ReplacementGaussian
from robust_restoration_noises.salt_and_pepper import SaltAndPepper
from robust_restoration_noises.uniform import Uniform

from robust_restoration.degradations.draws import draws_of
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.errors import InputError

MODELS = [
    Gaussian(0.1),
    Gaussian((0.0, 0.2)),
    MixedLevels((0.1, 0.2), (1, 3)),
    Uniform(0.1),
    Poisson(50),
    Poisson(50, dispersion=5),
    Poisson(50, dispersion=5, photons_law="released"),
    Impulse(0.2, 0.3),
    Impulse((0.1, 0.2), 0.3),
    ReplacementGaussian(0.25),
    SaltAndPepper(0.25),
]
ADDITIVE = [model for model in MODELS if isinstance(model, Gaussian | MixedLevels | Uniform)]
each = pytest.mark.parametrize("noise", MODELS, ids=str)
SIDE = 200  # 40,000 pixels: standard errors of a standard deviation are 0.35 %


def gray(value=0.5, count=1, channels=1, side=SIDE):
    return torch.full((count, channels, side, side), value)


def excess_kurtosis(values):
    centred = values.double() - values.double().mean()
    return float(centred.pow(4).mean() / centred.square().mean() ** 2 - 3)


class TestMoments:
    def test_gaussian(self):
        noise = Gaussian(0.1)(gray(), seed=1)[0] - 0.5
        assert float(noise.std()) == pytest.approx(0.1, rel=0.02)
        assert float(noise.mean()) == pytest.approx(0, abs=4 * 0.1 / SIDE)
        assert excess_kurtosis(noise) == pytest.approx(0, abs=0.1)

    def test_uniform(self):
        noise = Uniform(0.1)(gray(), seed=1)[0] - 0.5
        assert float(noise.std()) == pytest.approx(0.1, rel=0.02)
        assert float(noise.mean()) == pytest.approx(0, abs=4 * 0.1 / SIDE)
        assert float(noise.abs().max()) == pytest.approx(math.sqrt(3) * 0.1, rel=1e-3)
        assert excess_kurtosis(noise) == pytest.approx(-1.2, abs=0.05)

    @pytest.mark.parametrize("value", [0.0, 0.2, 1.0])
    def test_poisson(self, value):
        noisy = Poisson(40)(gray(value), seed=1)[0]
        assert float(noisy.mean()) == pytest.approx(value, abs=4 * math.sqrt(value / 40) / SIDE)
        assert float(noisy.var()) == pytest.approx(value / 40, rel=0.05)
        counts = noisy * 40
        assert torch.allclose(counts, counts.round(), atol=1e-3)

    def test_poisson_with_photons_of_each_image_its_own(self):
        count, mean, dispersion = 600, 500, 75
        noisy = Poisson(mean, dispersion)(gray(1.0, count, side=24), seed=1)[0]
        # of an image at 1: variance 1 / photons, and steps of 1 / photons
        photons = 1 / noisy.var(dim=(1, 2, 3))
        expected = math.sqrt(mean + mean**2 / dispersion)
        spread = mean * math.sqrt(2 / 24**2)  # of the estimate itself
        assert float(photons.mean()) == pytest.approx(mean, rel=0.03)
        assert float(photons.std()) == pytest.approx(math.hypot(expected, spread), rel=0.1)

    def test_photons_as_the_released_code_draws_them(self):
        mean, dispersion = 500, 75
        law = Poisson(mean, dispersion, "released")
        photons = torch.tensor([law._photons(d) for d in draws_of(20_000, seed=1)])
        assert float(photons.mean()) == pytest.approx(mean - 1, rel=0.02)
        assert float(photons.std()) == pytest.approx(193.5, rel=0.05)  # sqrt(d m (1 - 1/m))

    def test_photons_are_never_0(self):
        noisy = Poisson(1, dispersion=0.1)(gray(1.0, 200, side=8), seed=1)[0]
        assert noisy.isfinite().all()
        assert (noisy.amax(dim=(1, 2, 3)) > 0).all()

    def test_impulse(self):
        noise = Impulse(0.2, 0.3)(gray(channels=3), seed=1)[0] - 0.5
        hit = noise != 0
        values = 3 * SIDE**2
        assert float(hit.float().mean()) == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / values))
        assert float(noise[hit].std()) == pytest.approx(0.2, rel=0.02)
        # channels by themselves: all three at 0.3^3
        together = float(hit.all(dim=1).float().mean())
        assert together == pytest.approx(0.027, abs=4 * math.sqrt(0.027) / SIDE)

    def test_replacement(self):
        noisy = ReplacementGaussian(0.25)(gray(0.9, channels=3), seed=1)[0]
        hit = (noisy != 0.9).any(dim=1)
        assert int(hit.sum()) == SIDE**2 // 4
        values = noisy.movedim(1, -1)[hit]
        assert float(values.mean()) == pytest.approx(0.5, abs=4 * 0.2 / math.sqrt(values.numel()))
        assert float(values.std()) == pytest.approx(0.2, rel=0.02)
        assert abs(float(torch.corrcoef(values.mT)[0, 1])) < 0.05  # channels by themselves

    def test_salt_and_pepper(self):
        noisy = SaltAndPepper(0.25)(gray(channels=3), seed=1)[0]
        assert sorted(noisy.unique().tolist()) == [0, 0.5, 1]
        assert int((noisy[:, 0] != 0.5).sum()) == SIDE**2 // 4
        assert torch.equal(noisy[:, :1].expand(-1, 3, -1, -1), noisy)  # all channels together
        salt = float((noisy == 1).float().mean())
        assert salt == pytest.approx(0.125, abs=4 * math.sqrt(0.25 * 0.25) / SIDE)

    def test_levels_of_a_range(self):
        noise, count = Gaussian((0.1, 0.3)), 400
        levels = noise(gray(count=count, side=1), seed=1)[1]["sigma"]
        assert 0.1 <= float(levels.min()) < 0.11
        assert 0.29 < float(levels.max()) <= 0.3
        assert float(levels.mean()) == pytest.approx(0.2, abs=4 * 0.2 / math.sqrt(12 * count))

    def test_levels_in_proportion(self):
        levels = MixedLevels((0.1, 0.2), (1, 3))(gray(count=1000, side=1), seed=1)[1]["sigma"]
        share = float((levels == torch.tensor(0.2)).float().mean())
        assert share == pytest.approx(0.75, abs=4 * math.sqrt(0.75 * 0.25 / 1000))

    @pytest.mark.parametrize("noise", [Gaussian((0.05, 0.3)), MixedLevels((0.1, 0.2))], ids=str)
    def test_levels_are_those_of_the_images(self, noise):
        noisy, given = noise(gray(count=6, side=64), seed=3, index=10)
        levels, measured = given["sigma"], noisy.std(dim=(1, 2, 3))
        assert torch.allclose(measured, levels, rtol=0.06)


class TestNumbersOfAnImage:
    @each
    def test_do_not_depend_on_the_batch(self, noise, images):
        whole = noise(images, seed=7)[0]
        for size in (1, 3):
            parts = [
                noise(images[start : start + size], seed=7, index=start)[0]
                for start in range(0, len(images), size)
            ]
            assert torch.equal(torch.cat(parts), whole)
        order = [2, 0, 3, 1]
        assert torch.equal(noise(images[order], seed=7, index=order)[0], whole[order])

    @each
    def test_do_not_depend_on_the_dtype(self, noise, images):
        images = (images * 255).round() / 256  # the same values in each dtype
        single, double = noise(images, seed=7)[0], noise(images.double(), seed=7)[0]
        assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
        assert torch.allclose(single.double(), double, atol=1e-6)
        assert noise(images.bfloat16(), seed=7)[0].dtype == torch.bfloat16

    @each
    def test_differ_between_images_and_seeds(self, noise):
        first = gray(count=2, side=16)
        noisy = noise(first, seed=7)[0]
        assert not torch.equal(noisy[0], noisy[1])
        assert not torch.equal(noise(first, seed=8)[0], noisy)
        assert not torch.equal(noise(first, seed=8)[0][0], noisy[1])

    @each
    def test_come_from_the_generator(self, noise, images):
        make = lambda: torch.Generator().manual_seed(5)  # noqa: E731
        generator = make()
        first, second = noise(images, generator=generator)[0], noise(images, generator=generator)[0]
        assert torch.equal(noise(images, generator=make())[0], first)
        assert not torch.equal(first, second)

    def test_come_from_torch_by_default(self, images):
        torch.manual_seed(5)
        first = Gaussian(0.1)(images)[0]
        torch.manual_seed(5)
        assert torch.equal(Gaussian(0.1)(images)[0], first)

    def test_of_neighbouring_seeds_and_images_are_unrelated(self):
        numbers = np.stack(
            [d.standard_normal(4000) for seed in (0, 1) for d in draws_of(3, seed=seed)]
        )
        related = np.corrcoef(numbers) - np.eye(6)
        assert np.abs(related).max() < 5 / math.sqrt(4000)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    @each
    def test_do_not_depend_on_the_device(self, noise, images):
        there = noise(images.cuda(), seed=7)[0]
        assert there.is_cuda
        assert torch.allclose(there.cpu(), noise(images, seed=7)[0], atol=1e-6)


class TestImages:
    @each
    def test_are_not_changed(self, noise, images):
        before = images.clone()
        noise(images, seed=0)[0]
        assert torch.equal(images, before)

    @each
    def test_are_clipped_only_where_asked(self, noise):
        images = torch.cat([gray(0.0), gray(1.0)])
        noisy = noise(images, seed=0)[0]
        clipped = type(noise)(**{**vars(noise), "clip": (0, 1)})(images, seed=0)[0]
        assert torch.equal(clipped, noisy.clamp(0, 1))
        if not isinstance(noise, SaltAndPepper):
            assert float(noisy.max()) > 1
        if noise in ADDITIVE:
            assert float(noisy.min()) < 0

    @each
    def test_are_clipped_and_cut_to_8_bits_as_released(self, noise, images):
        noisy = noise(images, seed=0)[0]
        released = type(noise)(**{**vars(noise), "clip": "released"})(images, seed=0)[0]
        expected = (noisy.clamp(0, 1) * 255).to(torch.uint8)  # numpy's and torch's cut
        assert torch.equal((released * 255).round().to(torch.uint8), expected)
        assert torch.allclose(released, expected / 255)

    @pytest.mark.parametrize(
        "noise",
        [
            Gaussian(0.0),
            MixedLevels((0.0, 0.1), (1, 0)),
            Uniform(0.0),
            Impulse(0.1, 0.0),
            Impulse(0.0, 1.0),
            ReplacementGaussian(0.0),
            SaltAndPepper(0.0),
        ],
        ids=str,
    )
    def test_are_left_alone_by_noise_of_no_strength(self, noise, images):
        assert torch.equal(noise(images, seed=0)[0], images)

    def test_impulse_draws_a_level_of_each_image(self):
        noisy = Impulse((0.0, 0.2), 1.0)(gray(count=300, side=16), seed=0)[0]
        levels = noisy.std(dim=(1, 2, 3))
        assert float(levels.min()) < 0.02
        assert float(levels.max()) > 0.18
        assert float(levels.mean()) == pytest.approx(0.1, abs=0.02)

    def test_salt_and_pepper_may_be_gray(self, images):
        noisy = SaltAndPepper(1, (0.05, 0.95))(images, seed=0)[0]
        assert torch.equal(noisy.unique(), torch.tensor([0.05, 0.95]))

    def test_have_gradients_through_additive_noise(self, images):
        images.requires_grad_()
        Gaussian(0.1)(images, seed=0)[0].sum().backward()
        assert torch.equal(images.grad, torch.ones_like(images))

    def test_all_pixels_can_be_replaced(self, images):
        assert sorted(SaltAndPepper(1)(images, seed=0)[0].unique().tolist()) == [0, 1]

    @pytest.mark.parametrize(
        ("images", "match"),
        [
            (torch.zeros(2, 2), "shape"),
            (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), "dtype"),
            (torch.zeros(0, 1, 2, 2), "no image"),
        ],
    )
    def test_of_another_layout_are_refused(self, images, match):
        with pytest.raises(InputError, match=match):
            Gaussian(0.1)(images, seed=0)[0]

    @pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
    def test_without_photons_are_refused(self, value):
        with pytest.raises(InputError, match="clamp"):
            Poisson(10)(gray(value, side=2), seed=0)[0]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Gaussian(25), "25/255"),
        (lambda: Gaussian(-0.1), "fractions"),
        (lambda: Gaussian(float("nan")), "fractions"),
        (lambda: Gaussian(None), "fractions"),
        (lambda: Gaussian("0.1"), "fractions"),
        (lambda: Gaussian((0.2, 0.1)), "lower level first"),
        (lambda: Gaussian((0.1, 0.2, 0.3)), "low, high"),
        (lambda: Gaussian((0, 55)), "55/255"),
        (lambda: Uniform(2), "2/255"),
        (lambda: Poisson(0), "photons"),
        (lambda: Poisson(float("inf")), "photons"),
        (lambda: Poisson(10, 0), "dispersion"),
        (lambda: Poisson(10, 5, "ours"), "photons_law"),
        (lambda: Poisson(10, photons_law="released"), "give dispersion"),
        (lambda: Poisson(1, 5, "released"), "more than 1"),
        (lambda: SaltAndPepper(0.1, (1, 0)), "values"),
        (lambda: Impulse((0.2, 0.1)), "lower level first"),
        (lambda: Impulse(0.1, 1.5), "probability"),
        (lambda: SaltAndPepper(-0.1), "share"),
        (lambda: ReplacementGaussian(20), "share"),
        (lambda: ReplacementGaussian(0.1, mean=128), "128/255"),
        (lambda: MixedLevels(()), "sigmas"),
        (lambda: MixedLevels(0.1), "sigmas"),
        (lambda: MixedLevels((0.1, 25)), "25/255"),
        (lambda: MixedLevels((0.1, 0.2), (1,)), "proportions"),
        (lambda: MixedLevels((0.1, 0.2), (0, 0)), "proportions"),
        (lambda: MixedLevels((0.1, 0.2), (1, -1)), "proportions"),
        (lambda: MixedLevels((0.1, 0.2), (1, float("nan"))), "proportions"),
        (lambda: MixedLevels((0.1, 0.2), 3), "proportions"),
        (lambda: Gaussian(0.1, clip=(1, 0)), "clip"),
        (lambda: Gaussian(0.1, clip=True), "clip"),
    ],
)
def test_bad_options_are_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"seed": 1, "generator": torch.Generator()}, "Both"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1, "index": -1}, "index is -1"),
        ({"seed": 1, "index": [0, 1]}, "2 indices for 4"),
    ],
)
def test_contradicting_arguments_are_refused(arguments, match, images):
    with pytest.raises(InputError, match=match):
        Gaussian(0.1)(images, **arguments)[0]
