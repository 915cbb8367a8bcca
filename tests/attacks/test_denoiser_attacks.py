import copy
import math

import pytest
import torch
import torchattacks
from robust_restoration_attacks.l2_denoising_pgd import on_sphere
from robust_restoration_testing import check_attack
from torch import nn

import robust_restoration as rr
from robust_restoration.contracts.randomness import GlobalState
from robust_restoration.errors import InputError

NAMES = ["obsatk", "obsatk_auto", "denoising_pgd", "l2_denoising_pgd", "fgsm", "dag", "worst_case"]
QUICK = {
    "obsatk_auto": {"steps": 6},
    "dag": {"steps": 3},
    "worst_case": {"attacks": ["obsatk", "denoising_pgd"]},
}


@pytest.fixture(scope="module")
def denoiser():
    """A DnCNN that has learnt a little, so that attacks have something to break."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = rr.create_denoiser("dncnn_test", batch_norm=False)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        smooth = torch.rand(8, 1, 6, 6)
        clean = nn.functional.interpolate(smooth, size=(24, 24), mode="bilinear")
        for _ in range(60):
            noisy = clean + 0.1 * torch.randn(clean.shape)
            loss = (model(noisy) - clean).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


@pytest.fixture
def pair():
    """Noisy and clean images, the noise unclipped."""
    draw = torch.Generator().manual_seed(3)
    clean = nn.functional.interpolate(
        torch.rand(3, 1, 5, 5, generator=draw), size=(20, 22), mode="bilinear"
    )
    return clean + 0.1 * torch.randn(clean.shape, generator=draw), clean


def error(model, images, clean):
    with torch.no_grad():
        return (model(images) - clean).square().mean((1, 2, 3))


@pytest.mark.parametrize("name", NAMES)
def test_conforms(name, denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack(name, denoiser, **QUICK.get(name, {}))
    assert isinstance(attack, torchattacks.attack.Attack)
    check_attack(attack, noisy.clamp(0, 1), clean)


def test_norm_and_radius_are_declared(denoiser, pair):
    noisy, _ = pair
    side = noisy[0].numel() ** 0.5
    for name, norm, radius in (
        ("obsatk", 2.0, side * 5 / 255),
        ("obsatk_auto", 2.0, side * 5 / 255),
        ("l2_denoising_pgd", 2.0, side * 3 / 255),
        ("denoising_pgd", math.inf, 3 / 255),
        ("fgsm", math.inf, 3 / 255),
    ):
        attack = rr.create_attack(name, denoiser)
        assert attack.norm == norm
        assert torch.allclose(attack.radius(noisy).double(), torch.full((3,), radius).double())
        assert attack.differentiates
    assert rr.create_attack("dag", denoiser).eps is None
    assert rr.create_attack("obsatk", denoiser, clip="paper").norm is None


@pytest.mark.parametrize("name", ["obsatk", "denoising_pgd", "l2_denoising_pgd"])
def test_the_base_clips_whatever_forward_returns(name, denoiser, pair, monkeypatch):
    noisy, clean = pair
    attack = rr.create_attack(name, denoiser, eps=3 / 255)
    leap = torch.rand(noisy.shape) - 0.3
    monkeypatch.setattr(type(attack), "forward", lambda self, x, y: x + leap)
    attacked = attack(noisy, clean)
    size = torch.linalg.vector_norm((attacked - noisy).flatten(1), ord=attack.norm, dim=1)
    assert (size <= attack.radius(noisy) * (1 + 1e-5)).all()
    assert (size > attack.radius(noisy) / 4).all()
    assert (attacked >= noisy.clamp(max=0)).all()
    assert (attacked <= noisy.clamp(min=1)).all()


def test_eps_of_an_image_may_be_0(denoiser, pair):
    noisy, clean = pair
    eps = torch.tensor([0.0, 3.0, 0.0]) / 255
    for clip in ("project", "paper", None):
        attacked = rr.create_attack("denoising_pgd", denoiser, eps=eps, clip=clip)(noisy, clean)
        assert torch.equal(attacked[::2], noisy[::2])
        assert not torch.equal(attacked[1], noisy[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_models_in_half_precision(name, dtype, denoiser, pair):
    noisy, clean = (image.to(dtype) for image in pair)
    model = copy.deepcopy(denoiser).to(dtype)
    attack = rr.create_attack(name, model, **QUICK.get(name, {}))
    attacked = attack(noisy, clean)
    assert attacked.dtype == dtype
    assert not torch.equal(attacked, noisy)
    radius = attack.radius(noisy)
    if radius is not None:
        size = torch.linalg.vector_norm(
            (attacked.double() - noisy.double()).flatten(1), ord=attack.norm, dim=1
        )
        assert (size <= radius.double() * (1 + 1e-6)).all()


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_refused(name, denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack(name, denoiser, **QUICK.get(name, {}))
    noisy[1, 0, 2, 2] = math.nan
    with pytest.raises(InputError, match="got inputs with NaN"):
        attack(noisy, clean)
    with pytest.raises(InputError, match="got targets with NaN"):
        attack(clean, noisy)


def test_seeds_of_attacks_are_not_those_of_the_noise(denoiser, pair):
    _, clean = pair
    noise = rr.Gaussian(0.1)(clean, seed=3)[0] - clean

    class Noise(rr.Attack):
        bounds = None

        def forward(self, inputs, targets):
            return inputs + 0.1 * torch.randn_like(inputs)

    attack = Noise("Noise", denoiser)
    attack.seed = 3
    moved = attack(clean, clean) - clean
    assert abs(float(torch.corrcoef(torch.stack([noise.flatten(), moved.flatten()]))[0, 1])) < 0.1


class Detaches(nn.Module):
    def forward(self, noisy):
        return noisy.detach() * 0.5


class ThroughNumpy(nn.Module):
    def forward(self, noisy):
        return torch.from_numpy(noisy.numpy() * 0.5)


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.ones(()))

    def forward(self, noisy):
        return self.level.clone().requires_grad_() * torch.ones_like(noisy)


@pytest.mark.parametrize("name", ["obsatk", "dag"])
@pytest.mark.parametrize("model", [Detaches(), ThroughNumpy(), Constant()])
def test_no_gradient_is_a_hint(name, model, pair):
    noisy, clean = pair
    with pytest.raises(InputError, match="say `differentiable = False` on it"):
        rr.create_attack(name, model)(noisy, clean)


def test_dag_by_hand(denoiser, pair):
    noisy, clean = pair
    clean = clean.clamp(0, 1)
    found = rr.create_attack("dag", denoiser, steps=3, gamma=2.0)(noisy, clean)
    for row, image, expected in zip(noisy, clean, found, strict=True):
        added = torch.zeros_like(row)
        for _ in range(3):
            x = (image + added).clamp(0, 1)[None].requires_grad_()
            restored = denoiser(x)
            missed = (restored - row).abs() >= 0.04
            loss = (missed * restored * (row - image)).sum()
            gradient = torch.autograd.grad(loss, x)[0][0]
            added = (added + 2.0 * missed[0] * gradient / gradient.norm()).clamp(-1, 1)
        assert torch.allclose((image + added).clamp(0, 1), expected, atol=1e-5)


def test_dag_s_perturbation_stays_in_range(pair):
    """What went beyond 1 would have to come all the way back before it changes the image."""
    clean = torch.full((1, 1, 8, 8), 0.5)

    class Turns(nn.Module):
        """Its gradient points one way where the image is as it came, and back where it is not."""

        def forward(self, images):
            return images * torch.where(images == 0.5, 1.0, -1.0) + 10

    attack = rr.create_attack("dag", Turns(), gamma=3.0, steps=2, norm="linf")
    attacked = attack(clean + 0.1, clean)
    # Added 3, clamped to 1, then 3 less: -1, so that the image is black; without the clamp, 0.
    assert torch.equal(attacked, torch.zeros_like(clean))


def test_worst_case_keeps_to_the_budget_of_a_member(denoiser, pair):
    noisy, _ = pair
    worst = rr.create_attack("worst_case", denoiser, attacks=["fgsm", "obsatk"], eps=2 / 255)
    for leap in (0.5 * torch.ones_like(noisy), torch.eye(20, 22).expand_as(noisy)):
        limited = worst.limit(noisy + leap, noisy)
        inside = [
            torch.allclose(m.limit(limited, noisy), limited, atol=1e-6) for m in worst.members
        ]
        assert any(inside)
        assert not torch.equal(limited, noisy)


@pytest.mark.parametrize("name", ["obsatk", "obsatk_auto"])
@pytest.mark.parametrize("clip", ["project", None])
def test_obsatk_keeps_to_its_constraints(name, clip, denoiser, pair):
    noisy, clean = pair
    eps = torch.tensor([2.0, 5.0, 20.0]) / 255
    attacked = rr.create_attack(name, denoiser, eps=eps, clip=clip, **QUICK.get(name, {}))(
        noisy, clean
    )
    delta = attacked - noisy
    size = delta.square().mean((1, 2, 3)).sqrt()
    assert (size <= eps * (1 + 1e-4)).all()
    assert (size > 0.9 * eps).all()
    assert delta.mean((1, 2, 3)).abs().max() < 1e-7
    if clip == "project":
        assert (attacked >= noisy.clamp(max=0)).all()
        assert (attacked <= noisy.clamp(min=1)).all()
    assert (error(denoiser, attacked, clean) > error(denoiser, noisy, clean)).all()


def test_obsatk_by_hand(denoiser, pair):
    noisy, clean = pair
    found = rr.create_attack("obsatk", denoiser, eps=5 / 255, steps=3, clip=None)(noisy, clean)
    radius = 5 / 255 * noisy[0].numel() ** 0.5
    for row, image, expected in zip(noisy, clean, found, strict=True):
        delta = torch.zeros_like(row)
        for _ in range(3):
            x = (row + delta)[None].requires_grad_()
            loss = (denoiser(x) - image).square().sum()
            gradient = torch.autograd.grad(loss, x)[0][0]
            delta = delta + 0.3 * radius * gradient / gradient.norm()
            delta = delta - delta.mean()
            delta = delta * min(1, radius / delta.norm())
        assert torch.allclose(row + delta, expected, atol=1e-6)


def test_obsatk_as_released_clamps_the_noise_too(denoiser, pair):
    noisy, clean = pair
    attacked = rr.create_attack("obsatk", denoiser, clip="paper")(noisy, clean)
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert (attacked - noisy).square().mean((1, 2, 3)).max().sqrt() > 5 / 255


def test_budget_of_a_data_set_s_pixels(denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack("obsatk", denoiser, pixels=4 * noisy[0].numel(), clip=None)
    size = (attack(noisy, clean) - noisy).square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(size, torch.full((3,), 10 / 255), rtol=1e-3)


def test_a_gradient_from_outside_is_used(denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack("obsatk", denoiser, steps=1)
    x = noisy.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((denoiser(x) - clean).square().sum(), x)
    assert torch.equal(attack(noisy, clean), attack(noisy, clean, gradient=gradient))


@pytest.mark.slow
def test_auto_is_as_strong_as_many_plain_steps_with_restarts(denoiser, pair):
    noisy, clean = pair
    auto = rr.create_attack("obsatk_auto", denoiser, steps=25)(noisy, clean)
    strongest = torch.zeros(3)
    for share in (0.1, 0.3):
        attack = rr.create_attack("obsatk", denoiser, steps=100, alpha=share * 5 / 255)
        found = error(denoiser, attack(noisy, clean), clean)
        strongest = torch.maximum(strongest, found)
    assert (error(denoiser, auto, clean) >= strongest * 0.999).all()


def test_restarts_never_make_it_weaker(denoiser, pair):
    noisy, clean = pair
    once = rr.create_attack("obsatk_auto", denoiser, steps=4)
    thrice = rr.create_attack("obsatk_auto", denoiser, steps=4, restarts=3, seed=0)
    assert (
        error(denoiser, thrice(noisy, clean), clean)
        >= error(denoiser, once(noisy, clean), clean) - 1e-9
    ).all()


@pytest.mark.parametrize("target", ["clean", "noisy"])
@pytest.mark.parametrize("clip", ["project", "paper", None])
def test_denoising_pgd(target, clip, denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack("denoising_pgd", denoiser, target=target, clip=clip, seed=0)
    attacked = attack(noisy, clean)
    base = noisy.clamp(0, 1) if clip == "paper" else noisy
    assert (attacked - base).abs().max() <= 3 / 255 + 1e-6
    if clip == "paper":
        assert attacked.min() >= 0
        assert attacked.max() <= 1
    if target == "noisy" and clip is None:
        before = (denoiser(noisy) - noisy).square().mean()
        assert (denoiser(attacked) - noisy).square().mean() < before


def test_fgsm_is_one_sign_step(denoiser, pair):
    noisy, clean = pair
    x = noisy.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((denoiser(x) - clean).square().sum(), x)
    expected = noisy + 3 / 255 * gradient.sign()
    found = rr.create_attack("fgsm", denoiser, clip=None)(noisy, clean)
    assert torch.allclose(found, expected, atol=1e-6)


def test_l2_denoising_pgd_about_the_clean_image_keeps_the_noise_s_norm(denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack(
        "l2_denoising_pgd", denoiser, eps=8 / 255, center="clean", clip=None, seed=0
    )
    attacked = attack(noisy, clean)
    before, after = ((i - clean).flatten(1).norm(dim=1) for i in (noisy, attacked))
    assert torch.allclose(before, after, rtol=1e-5)
    size = (attacked - noisy).square().mean((1, 2, 3)).sqrt()
    assert (size <= 8 / 255 * (1 + 1e-4)).all()
    assert (size > 2 / 255).all()


def test_on_sphere_is_the_nearest_point():
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, 1, 6, generator=draw, dtype=torch.float64)
    delta = 0.7 * torch.randn(noise.shape, generator=draw, dtype=torch.float64)
    radius = torch.tensor([0.4], dtype=torch.float64)
    found = on_sphere(delta, noise, radius)
    assert torch.allclose((noise + found).norm(), noise.norm())
    assert float(found.norm()) <= 0.4 + 1e-6
    many = torch.randn(200_000, 1, 1, 6, generator=draw, dtype=torch.float64)
    many = noise + 0.4 * many / many.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    many = many * noise.norm() / many.flatten(1).norm(dim=1).view(-1, 1, 1, 1) - noise
    many = many[many.flatten(1).norm(dim=1) <= 0.4]
    nearest = (many - delta).flatten(1).norm(dim=1).min()
    assert float((found - delta).norm()) <= float(nearest) + 1e-3


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_dag_makes_a_clean_looking_image_come_out_noisy(norm, denoiser, pair):
    noisy, clean = pair
    attacked = rr.create_attack("dag", denoiser, norm=norm, steps=20)(noisy, clean)
    # The output moves along the noise, though there is none in the image it began at.
    with torch.no_grad():
        before, after = (
            (denoiser(i) * (noisy - clean)).sum((1, 2, 3)) for i in (clean, attacked)
        )
    assert (after > before).all()
    assert attacked.min() >= 0
    assert attacked.max() <= 1


def test_dag_leaves_alone_what_is_reached_already(pair):
    _, clean = pair
    attacked = rr.create_attack("dag", nn.Identity())(clean, clean)
    assert torch.equal(attacked, clean)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_attacked_alike_in_any_batch_and_at_any_time(name, denoiser, pair):
    noisy, clean = pair
    options = {**QUICK.get(name, {}), **({} if name == "dag" else {"seed": 5})}
    attack = rr.create_attack(name, denoiser, **options)
    together = attack(noisy, clean, index=10)
    torch.rand(3)
    before = GlobalState(torch.device("cpu"))
    alone = attack(noisy[2:], clean[2:], index=12)
    mixed = attack(noisy[[2, 0]], clean[[2, 0]], index=[12, 10])
    assert before.unchanged()
    assert torch.allclose(together[2:], alone, atol=2e-5)
    assert torch.allclose(together[[2, 0]], mixed, atol=2e-5)
    if attack.random and name != "worst_case":  # whose worst is not the random one here
        assert not torch.allclose(attack(noisy[2:], clean[2:], index=11), alone, atol=1e-3)


def test_restarts_draw_anew(denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack("obsatk_auto", denoiser, steps=2, restarts=3, seed=1)
    starts = []
    run, gradient = attack._run, attack.gradient

    def one_run(*given, **named):
        starts.append(None)
        return run(*given, **named)

    def first_seen(images, targets, change):
        if starts[-1] is None:
            starts[-1] = change.clone()
        return gradient(images, targets, change)

    attack._run, attack.gradient = one_run, first_seen
    attack(noisy, clean)
    assert len(starts) == 3
    assert not torch.equal(starts[1], starts[2])


def test_worst_case_is_the_worst_of_each_image(denoiser, pair):
    noisy, clean = pair
    names = ["obsatk", "denoising_pgd", "fgsm"]
    worst = rr.create_attack("worst_case", denoiser, attacks=names, seed=0, restarts=2)
    found = error(denoiser, worst(noisy, clean), clean)
    for name in names:
        single = rr.create_attack(name, denoiser, eps=5 / 255, seed=0)(noisy, clean)
        assert (found >= error(denoiser, single, clean) - 1e-9).all()


def test_bf16_is_nearly_as_strong(denoiser, pair):
    noisy, clean = pair
    strength = {}
    for autocast in (None, "bf16"):
        attacked = rr.create_attack("obsatk", denoiser, autocast=autocast)(noisy, clean)
        assert attacked.dtype == torch.float32
        strength[autocast] = 10 * error(denoiser, attacked, clean).log10()
    assert torch.allclose(strength["bf16"], strength[None], atol=0.1)


def test_double_precision_inputs(denoiser, pair):
    noisy, clean = (t.double() for t in pair)
    attacked = rr.create_attack("obsatk", denoiser.double(), eps=5 / 255)(noisy, clean)
    denoiser.float()
    assert attacked.dtype == torch.float64


class Step(nn.Module):
    """A denoiser without gradients."""

    differentiable = False

    def forward(self, noisy):
        return (noisy * 8).round() / 8


def test_straight_through_where_there_is_no_gradient(pair):
    noisy, clean = pair
    model = Step()
    attacked = rr.create_attack("obsatk", model, eps=20 / 255)(noisy, clean)
    assert (error(model, attacked, clean) > error(model, noisy, clean)).all()


def test_transfer_from_a_surrogate(denoiser, pair):
    noisy, clean = pair
    surrogate = rr.create_denoiser("dncnn_test", batch_norm=False)
    flags = [p.requires_grad for p in surrogate.parameters()]
    through = rr.create_attack("obsatk", Step(), surrogate=denoiser)(noisy, clean)
    assert torch.equal(through, rr.create_attack("obsatk", denoiser)(noisy, clean))
    rr.create_attack("obsatk", denoiser, surrogate=surrogate)(noisy, clean)
    assert [p.requires_grad for p in surrogate.parameters()] == flags
    assert surrogate.training


def test_a_surrogate_is_frozen_too(denoiser, pair):
    noisy, clean = pair
    surrogate = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)).train()
    modes = []
    surrogate[1].register_forward_pre_hook(lambda module, args: modes.append(module.training))
    rr.create_attack("obsatk", denoiser, surrogate=surrogate)(noisy, clean)
    assert modes
    assert not any(modes)
    assert torch.equal(surrogate[1].running_mean, torch.zeros(1))
    assert surrogate.training


def test_through_denoiser_and_classifier(denoiser, pair):
    noisy, _ = pair
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(noisy[0].numel(), 4))
    labels = classifier(denoiser(noisy)).argmax(1)

    def loss(restored, expected):
        return nn.functional.cross_entropy(classifier(restored), expected, reduction="none")

    attacked = rr.create_attack("obsatk", denoiser, loss=loss, eps=20 / 255)(noisy, labels)
    before, after = (loss(denoiser(i), labels) for i in (noisy, attacked))
    assert (after > before).all()


def test_told_the_level(pair):
    noisy, clean = pair
    model = rr.create_denoiser("ffdnet_test")
    with pytest.raises(InputError, match="needs the noise level"):
        rr.create_attack("obsatk", model)(noisy, clean)
    sigma = torch.tensor([10.0, 25.0, 50.0]) / 255
    attacked = rr.create_attack("obsatk", model, sigma=sigma)(noisy, clean)
    alone = rr.create_attack("obsatk", model, sigma=10 / 255)(noisy[:1], clean[:1])
    assert torch.allclose(attacked[:1], alone, atol=1e-6)


def test_save_keeps_float_images(denoiser, pair, tmp_path, capsys):
    noisy, clean = pair
    file = tmp_path / "attacked.pt"
    attack = rr.create_attack("denoising_pgd", denoiser, seed=0)
    loader = [(noisy[:2], clean[:2]), (noisy[2:], clean[2:])]
    quality, size, _ = attack.save(
        loader, file, return_verbose=True, save_predictions=True, save_clean_inputs=True
    )
    assert "PSNR" in capsys.readouterr().out
    kept = torch.load(file, weights_only=True)
    assert torch.allclose(kept["adv_inputs"], attack(noisy, clean), atol=2e-5)
    assert torch.equal(kept["labels"], clean)
    assert torch.equal(kept["clean_inputs"], noisy)
    assert quality == pytest.approx(rr.psnr(kept["preds"], clean).mean().item(), abs=1e-4)
    assert size > 0


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("obsatk", {"eps": -0.1}, "eps is -0.1"),
        ("obsatk", {"eps": 5}, "write 5/255"),
        ("obsatk", {"eps": torch.tensor([0.1, math.nan])}, "eps is nan"),
        ("obsatk", {"steps": 0}, "steps is 0; expected a whole number"),
        ("obsatk", {"alpha": 2}, "alpha is 2"),
        ("obsatk", {"clip": (0, 1)}, "expected 'project', 'paper' or None"),
        ("obsatk", {"autocast": "int8"}, "expected 'bf16'"),
        ("obsatk_auto", {"restarts": 0}, "restarts is 0"),
        ("obsatk_auto", {"momentum": 1}, "below 1"),
        ("obsatk_auto", {"clip": "paper"}, "for plain obsatk"),
        ("dag", {"gamma": 0}, "gamma is 0"),
        ("denoising_pgd", {"target": "dirty"}, "expected 'clean' or 'noisy'"),
        ("l2_denoising_pgd", {"center": "clean"}, "give clip=None"),
        ("dag", {"norm": "l1"}, "expected 'linf' or 'l2'"),
        ("worst_case", {"attacks": []}, "expected a list of attacks"),
    ],
)
def test_bad_options(name, options, sentence, denoiser):
    with pytest.raises(InputError, match=sentence):
        rr.create_attack(name, denoiser, **options)


def test_bad_targets(denoiser, pair):
    noisy, clean = pair
    attack = rr.create_attack("obsatk", denoiser)
    with pytest.raises(InputError, match="needs the clean images"):
        attack(noisy)
    with pytest.raises(InputError, match="of the same shape"):
        attack(noisy, clean[..., :10])
    with pytest.raises(InputError, match="attacked by 'torchattacks/"):
        attack(noisy, torch.zeros(3, dtype=torch.long))
    with pytest.raises(InputError, match="eps has shape"):
        rr.create_attack("obsatk", denoiser, eps=torch.ones(2) / 255)(noisy, clean)
    with pytest.raises(ValueError, match="supported"):
        attack.set_mode_targeted_random()


class Shrinks(nn.Module):
    def forward(self, noisy):
        return noisy[..., 1:, 1:]


class Breaks(nn.Module):
    def forward(self, noisy):
        return noisy / 0


@pytest.mark.parametrize(
    ("model", "sentence"), [(Shrinks(), "must keep the shape"), (Breaks(), "NaN or infinite")]
)
def test_denoisers_that_misbehave_are_named(model, sentence, pair):
    with pytest.raises(InputError, match=sentence):
        rr.create_attack("obsatk", model)(*pair)
