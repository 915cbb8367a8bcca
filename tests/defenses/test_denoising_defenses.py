import pytest
import torch
from robust_restoration_testing import check_defense
from torch import nn

import robust_restoration as rr
from robust_restoration.contracts import Step
from robust_restoration.errors import InputError

KINDS = [
    ("standard", {}),
    ("adversarial", {}),
    ("adversarial", {"attack": "denoising_pgd", "eps": 3 / 255, "mix": 0.5}),
    ("hat", {}),
    ("hat", {"shared": False, "alpha": 2.0}),
    ("hat", {"attack": "denoising_pgd", "eps": 3 / 255}),
    ("typical_set", {}),
    ("typical_set", {"variant": "pres"}),
    ("mixed_noise", {}),
    ("standard", {"noise": "poisson:30"}),
]


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(0)
    rough = torch.rand(6, 1, 8, 9, generator=draw)
    return nn.functional.interpolate(rough, size=(40, 44), mode="bilinear")


@pytest.fixture
def denoiser():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return rr.create_denoiser("dncnn_test")


def batch_of(defense, images, seed=0):
    data, _ = defense.prepare(images, val_fraction=0)
    return data.batch(torch.arange(6), torch.Generator().manual_seed(seed), "train")


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_conforms(name, options, denoiser, images):
    check_defense(rr.create_defense(name, patch=20, **options), denoiser, images)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), KINDS)
def test_training_lowers_the_error(name, options, denoiser, images):
    defense = rr.create_defense(name, patch=20, **options)
    losses = []
    rr.train(
        denoiser,
        defense,
        images,
        steps=40,
        batch_size=6,
        lr=3e-3,
        schedule="constant",
        progress=False,
        on_step=lambda _, figures: losses.append(figures["loss"]),
    )
    assert sum(losses[-8:]) < sum(losses[:8])


def test_normal_by_hand(denoiser, images):
    defense = rr.create_defense("standard", patch=20)
    batch = batch_of(defense, images)
    loss, _ = defense.loss(denoiser, batch, Step("train"))
    error = (denoiser(batch["noisy"]) - batch["clean"]).square().sum() / (2 * 6)
    assert torch.allclose(loss, error)


def test_hat_by_hand(images):
    denoiser = rr.create_denoiser("dncnn_test", batch_norm=False)
    defense = rr.create_defense("hat", patch=20, alpha=2.0, eps=8 / 255)
    batch = batch_of(defense, images)
    loss, figures = defense.loss(denoiser, batch, Step("train"))
    attack = rr.create_attack("obsatk", denoiser, eps=8 / 255, steps=1, clip=None)
    attacked = attack(batch["noisy"], batch["clean"])
    first, second = denoiser(batch["noisy"]), denoiser(attacked)
    fit = (first - batch["clean"]).square().sum() / 12
    apart = (first - second).square().sum() / 12
    assert torch.allclose(loss, (fit + 2 * apart) / 3, rtol=1e-5)
    assert figures["apart"] == pytest.approx(float(apart), rel=1e-4)
    # Both outputs carry gradients.
    mine = torch.autograd.grad(loss, list(denoiser.parameters()))
    expected = torch.autograd.grad((fit + 2 * apart) / 3, list(denoiser.parameters()))
    for a, b in zip(mine, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5)


def test_hat_shares_its_first_forward_pass(images):
    calls = {}
    losses = {}
    for shared in (True, False):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            denoiser = rr.create_denoiser("dncnn_test", batch_norm=False)
        calls[shared] = 0

        def count(*_, shared=shared):
            calls[shared] += 1

        denoiser.register_forward_pre_hook(count)
        defense = rr.create_defense("hat", patch=20, shared=shared)
        loss, _ = defense.loss(denoiser, batch_of(defense, images), Step("train"))
        losses[shared] = float(loss)
    assert calls == {True: 2, False: 3}
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)


def test_hat_of_alpha_0_is_normal_training(denoiser, images):
    normal = rr.create_defense("standard", patch=20)
    batch = batch_of(normal, images)
    denoiser.eval()
    one, _ = rr.create_defense("hat", alpha=0.0).loss(denoiser, batch, Step("train"))
    two, _ = normal.loss(denoiser, batch, Step("train"))
    assert torch.allclose(one, two)


def test_adversarial_attacks_the_share_it_says(images):
    denoiser = rr.create_denoiser("dncnn_test", batch_norm=False)
    seen = []
    denoiser.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    defense = rr.create_defense("adversarial", patch=20, mix=0.5)
    batch = batch_of(defense, images)
    defense.loss(denoiser, batch, Step("train"))
    changed = (seen[-1] != batch["noisy"]).flatten(1).any(1)
    assert changed.tolist() == [True] * 3 + [False] * 3


def test_told_its_level_also_in_the_attack(images):
    denoiser = rr.create_denoiser("ffdnet_test")
    defense = rr.create_defense("hat", patch=20)
    loss, _ = defense.loss(denoiser, batch_of(defense, images), Step("train"))
    assert torch.isfinite(loss)


@pytest.mark.parametrize(("variant", "share"), [("pres", 1 / 3), ("def", 1 / 2)])
def test_typical_set_noise_is_longer_on_its_share(variant, share):
    defense = rr.create_defense("typical_set", variant=variant)
    clean = torch.zeros(24, 1, 40, 40)
    batch = defense.corrupt(clean, torch.Generator().manual_seed(0))
    level = 255 * batch["noisy"].square().mean((1, 2, 3)).sqrt()
    # At d = 1600 and K = 100 the rim lies at 26.1; one in a hundred Gaussian draws reaches it.
    assert (level > 25.75).sum() == pytest.approx(24 * share, abs=2)
    assert level.max() < 27.5


def test_mixed_noise_has_two_levels():
    defense = rr.create_defense("mixed_noise", levels=(0.05, 0.2))
    batch = defense.corrupt(torch.zeros(32, 1, 40, 40), torch.Generator().manual_seed(0))
    level = batch["noisy"].square().mean((1, 2, 3)).sqrt()
    assert 8 <= (level < 0.1).sum() <= 24
    assert ((level - 0.05).abs().lt(0.01) | (level - 0.2).abs().lt(0.01)).all()


def test_levels_are_drawn_between_the_ends():
    defense = rr.create_defense("standard", sigma=(0.02, 0.2))
    batch = defense.corrupt(torch.zeros(64, 1, 32, 32), torch.Generator().manual_seed(0))
    level = batch["noisy"].square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(level, batch["sigma"], rtol=0.15)
    assert batch["sigma"].min() < 0.05
    assert batch["sigma"].max() > 0.17


def test_validation_is_on_other_images(denoiser, images):
    defense = rr.create_defense("hat", patch=20)
    training, validation = defense.prepare(images, val_fraction=0.34)
    assert (len(training), len(validation)) == (4, 2)
    assert not set(training.names) & set(validation.names)
    batch = validation.batch(torch.arange(2), torch.Generator().manual_seed(0), "train")
    figures = defense.validate(denoiser.eval(), batch, "train")
    assert figures["attacked_psnr"] < figures["psnr"]


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("standard", {"sigma": (0.2, 0.1)}, "the lower level first"),
        ("standard", {"sigma": 25}, "write 25/255"),
        ("hat", {"alpha": -1.0}, "0 or more"),
        ("hat", {"attack": "obsatx"}, "obsatk"),
        ("hat", {"eps": 0}, "budget"),
        ("hat", {"attack": "denoising_pgd", "shared": True}, "Leave shared out"),
        ("adversarial", {"mix": 0}, "above 0"),
        ("typical_set", {"variant": "ts"}, "'pres' or 'def'"),
        ("typical_set", {"noise": "poisson:30"}, "noise of its own"),
    ],
)
def test_bad_options(name, options, sentence):
    with pytest.raises(rr.RobustRestorationError, match=sentence):
        rr.create_defense(name, **options)


def test_patches_larger_than_an_image(images):
    with pytest.raises(InputError, match="Use smaller patches"):
        rr.create_defense("standard", patch=41).prepare(images)


@pytest.mark.parametrize("name", ["standard", "hat", "typical_set", "noise2noise"])
@pytest.mark.parametrize("clip", [(0, 1), "released"])
def test_noisy_images_are_clipped_where_it_is_asked_for(name, clip, images):
    free, kept = (
        batch_of(rr.create_defense(name, patch=20, sigma=0.3, clip=c), images)
        for c in (None, clip)
    )
    for seen in {"noisy", "target"} & free.keys():
        assert free[seen].min() < 0 < 1 < free[seen].max()
        expected = free[seen].clamp(0, 1)
        if clip == "released":
            expected = (expected * 255).floor() / 255
        assert torch.equal(kept[seen], expected)
    assert torch.equal(kept["clean"], free["clean"])


def test_validation_is_clipped_as_training_is(images):
    defense = rr.create_defense("standard", patch=20, sigma=0.3, clip=(0, 1))
    _, held = defense.prepare(images, val_fraction=0.4)
    noisy = held.batch(torch.arange(2), torch.Generator().manual_seed(0), "train")["noisy"]
    assert noisy.min() == 0
    assert noisy.max() == 1


@pytest.mark.parametrize("name", ["adversarial", "hat"])
def test_inner_attacks_are_clipped_as_the_noise_is(name, denoiser, images):
    for clip in (None, (0, 1)):
        defense = rr.create_defense(name, patch=20, sigma=0.3, clip=clip, eps=0.2)
        attacked = defense.attack(denoiser, batch_of(defense, images))
        assert (attacked.min() < 0) == (clip is None)


def test_a_clip_that_is_no_range():
    with pytest.raises(InputError, match="clip is"):
        rr.create_defense("standard", clip=(1, 0))
