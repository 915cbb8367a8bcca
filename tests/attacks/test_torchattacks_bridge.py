"""torchattacks' attacks by name, and what the bridge mends in them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torchattacks
from robust_restoration_attacks import TORCHATTACKS
from robust_restoration_testing import check_attack
from torch import Tensor, nn

from robust_restoration import create_attack, create_denoiser, list_attacks
from robust_restoration.contracts.randomness import GlobalState
from robust_restoration.errors import InputError, UnknownNameError
from robust_restoration.models.classifiers import NormalizedClassifier

QUICK: dict[str, dict[str, object]] = {
    "cw": {"steps": 10},
    "deepfool": {"steps": 3},
    "eaden": {"max_iterations": 10, "binary_search_steps": 2},
    "eadl1": {"max_iterations": 10, "binary_search_steps": 2},
    "fab": {"steps": 3, "n_restarts": 2},
    "jsma": {"gamma": 0.01},
    "onepixel": {"steps": 2, "inf_batch": 32},
    "pgdrs": {"noise_batch_size": 3, "steps": 3},
    "pgdrsl2": {"noise_batch_size": 3, "steps": 3},
    "pixle": {"restarts": 2, "max_iterations": 3},
    "sparsefool": {"steps": 2},
    "spsa": {"nb_sample": 8, "max_batch_size": 4},
    "square": {"n_queries": 10},
    "vmifgsm": {"steps": 3},
    "vnifgsm": {"steps": 3},
}


def test_every_attack_is_listed_and_creatable(tiny_classifier: nn.Module) -> None:
    installed = {n.lower() for n in torchattacks.__all__ if n not in torchattacks.__wrapper__}
    assert set(TORCHATTACKS) == installed
    assert set(list_attacks("torchattacks/*")) == {f"torchattacks/{n}" for n in installed}
    for name in installed:
        options = {"n_classes": 10} if name in ("apgdt", "autoattack", "fab") else {}
        attack = create_attack(f"torchattacks/{name}", tiny_classifier, **options)
        original = next(
            getattr(torchattacks, n) for n in torchattacks.__all__ if n.lower() == name
        )
        assert isinstance(attack, original)


def test_jitter_in_float64_compares_one_precision(
    tiny_classifier: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = torch._C._nn.mse_loss

    def strict(first: Tensor, second: Tensor, *more: Any) -> Tensor:  # as torch 2.6 is in backward
        if first.dtype != second.dtype:
            raise RuntimeError("Found dtype Float but expected Double")
        return inner(first, second, *more)

    monkeypatch.setattr(torch._C._nn, "mse_loss", strict)
    images = images[:2].double()
    labels = tiny_classifier(images.float()).argmax(1)
    attacked = create_attack("torchattacks/jitter", tiny_classifier, seed=0)(images, labels)
    assert attacked.dtype == torch.float64
    assert not torch.equal(attacked, images)


def test_jsma_takes_a_class_that_there_is(images: Tensor) -> None:
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3)).eval()
    images = images[:3, :, :8, :8]
    labels = torch.full((len(images),), 2)
    with torch.no_grad():
        classifier[1].bias[2] += 1.0
    assert torch.equal(classifier(images).argmax(1), labels)
    attacked = create_attack("torchattacks/jsma", classifier, gamma=0.3)(images, labels)
    gained = classifier(attacked) - classifier(images)
    assert (gained[:, 0] > gained[:, 2]).all()


# One of each kind: one step, several, L2, adaptive, random squares, and a search of its own.
EACH_TIME = ("fgsm", "pgd", "pgdl2", "apgd", "square", "deepfool")
EACH = [
    pytest.param(n, marks=() if n in EACH_TIME else pytest.mark.slow) for n in sorted(TORCHATTACKS)
]


@pytest.mark.parametrize("name", EACH)
def test_conformance(name: str, tiny_classifier: nn.Module, images: Tensor) -> None:
    """Norm, budget, range, seeds, global states, layouts and half precision of every one."""
    attack = create_attack(f"torchattacks/{name}", tiny_classifier, **QUICK.get(name, {}))
    images = images[:2, :, 8:20, 8:20]
    check_attack(attack, images, attack.model(images).argmax(1))


def test_norm_and_budget_are_declared(tiny_classifier: nn.Module) -> None:
    without = {"cw", "deepfool", "eaden", "eadl1", "gn", "jsma", "onepixel", "pixle", "sparsefool"}
    for name in TORCHATTACKS:
        attack = create_attack(f"torchattacks/{name}", tiny_classifier)
        if name in without | {"vanila"}:
            assert attack.norm is None
            assert attack.eps is None
        else:
            assert attack.norm == (2.0 if name in ("pgdl2", "pgdrsl2") else math.inf)
            assert isinstance(attack.eps, float)
    for name in ("apgd", "apgdt", "autoattack", "fab", "square"):
        assert create_attack(f"torchattacks/{name}", tiny_classifier, norm="L2").norm == 2.0
    with pytest.raises(InputError, match="expected 'Linf' or 'L2'"):
        create_attack("torchattacks/apgd", tiny_classifier, norm="L1")
    assert create_attack("torchattacks/pgd", tiny_classifier).random
    assert not create_attack("torchattacks/pgd", tiny_classifier, random_start=False).random
    assert not create_attack("torchattacks/square", tiny_classifier).differentiates


def test_pifgsm_takes_eps_as_the_others_do(tiny_classifier: nn.Module, images: Tensor) -> None:
    attack = create_attack("torchattacks/pifgsm", tiny_classifier, eps=2 / 255)
    moved = (attack(images, torch.arange(4)) - images).abs().max()
    assert float(moved) == pytest.approx(2 / 255, abs=1e-6)


class Leaps(torchattacks.PGD):
    """An attack of torchattacks' kind that keeps to no budget."""

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return images + torch.randn_like(images)


@pytest.mark.parametrize("name", [n for n, facts in TORCHATTACKS.items() if facts.norm])
def test_the_base_clips_whatever_the_original_returns(
    name: str, tiny_classifier: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = create_attack(f"torchattacks/{name}", tiny_classifier)
    monkeypatch.setattr(type(attack), "original", Leaps)
    delta = (attack(images, torch.arange(4)) - images).flatten(1)
    size = torch.linalg.vector_norm(delta, ord=attack.norm, dim=1)
    assert (size <= attack.eps * (1 + 1e-5)).all()
    assert (size > attack.eps / 2).all()


@pytest.mark.parametrize("name", [each for each in EACH if each.values != ("autoattack",)])
def test_an_image_is_attacked_alike_in_any_batch_and_at_any_time(
    name: str, tiny_classifier: nn.Module, photographs: Tensor
) -> None:
    dtype = torch.float64 if TORCHATTACKS[name].double else torch.float32
    model = tiny_classifier.to(dtype)
    corners = [(y, x) for y in (0, 10) for x in (0, 6, 12, 18)][:7]
    images = torch.cat([photographs[:1, :, y : y + 12, x : x + 12] for y, x in corners]).to(dtype)
    attack = create_attack(f"torchattacks/{name}", model, seed=5, **QUICK.get(name, {}))
    labels = attack.model(images).argmax(1)
    together = attack(images, labels)
    rowwise = attack.rowwise
    assert rowwise == bool(TORCHATTACKS[name].rowwise)  # draws of a whole batch are declared
    torch.rand(3)
    before = GlobalState(torch.device("cpu"))
    three = attack(images[2:5], labels[2:5], index=2)
    alone = attack(images[4:5], labels[4:5], index=[4])
    assert before.unchanged()
    tolerance = 1e-8 if dtype == torch.float64 else 1e-4
    assert torch.allclose(together[2:5], three, atol=tolerance)
    assert torch.allclose(together[4:5], alone, atol=tolerance)
    # Fab and square may find nothing here, and what tifgsm draws is the seed's alone.
    if attack.random and name not in ("fab", "square", "tifgsm"):
        attack.seed = 6
        assert not torch.equal(attack(images, labels), together)
        attack.seed = 5
        assert not torch.allclose(attack(images[4:5], labels[4:5], index=9), alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("apgd", {"steps": 3, "n_restarts": 3}),
        ("apgd", {"steps": 3, "n_restarts": 2, "norm": "L2", "eps": 0.3}),
        ("apgdt", {"steps": 3, "n_restarts": 2, "n_classes": 4}),
        ("fab", {"steps": 4, "n_restarts": 3, "multi_targeted": True, "n_classes": 4}),
        ("square", {"n_queries": 6, "n_restarts": 3, "eps": 0.08}),
        ("tifgsm", {"steps": 3, "eps": 0.2, "alpha": 0.2}),
    ],
)
def test_attacks_that_drop_fooled_images_run_a_batch_as_they_run_its_images(
    name: str, options: dict[str, Any]
) -> None:
    """Also three images of three channels, whose shapes are alike; and no image by itself."""
    torch.manual_seed(2)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 8), nn.Tanh(), nn.Linear(8, 4)).eval()
    images = torch.rand(9, 3, 8, 8)
    labels = flat(images).argmax(1)
    labels[4] = (labels[4] + 1) % 4  # wrong already
    attack = create_attack(f"torchattacks/{name}", flat, **{"eps": 0.03, "seed": 3, **options})
    sizes: list[int] = []
    handle = flat.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    together = attack(images, labels)
    handle.remove()
    assert attack.rowwise
    assert sizes.count(1) < len(sizes) / 4
    held = flat(together).argmax(1) == labels
    assert 0 < held.sum() < 8  # some fall, and some are left for the next restart
    for rows in ([6], [4, 1], [0, 7, 2], [8, 3, 5, 1]):
        part = attack(images[rows], labels[rows], index=rows)
        assert torch.allclose(part, together[rows], atol=1e-6)


def test_a_random_classifier_is_attacked_image_by_image_where_images_are_dropped() -> None:
    class Noisy(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return (images + 0.1 * torch.randn_like(images)).flatten(1)[:, :4]

    images = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    labels = images.flatten(1)[:, :4].argmax(1)
    attack = create_attack("torchattacks/square", Noisy(), eps=0.05, n_queries=5, seed=1)
    together = attack(images, labels)
    alone = attack(images[2:3], labels[2:3], index=2)
    assert torch.equal(together[2:3], alone)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_autoattack_too(tiny_classifier: nn.Module, images: Tensor) -> None:
    attack = create_attack("torchattacks/autoattack", tiny_classifier, eps=0.002, seed=1)
    attack._autoattack.attacks[-1].n_queries = 30
    labels = attack.model(images).argmax(1)
    before = GlobalState(torch.device("cpu"))
    together = attack(images, labels)
    assert torch.allclose(together[3:], attack(images[3:], labels[3:], index=3), atol=1e-4)
    assert before.unchanged()


@pytest.mark.parametrize("name", ["pgdl2", "jsma", "fgsm"])
def test_a_model_in_channels_last(name: str, tiny_classifier: nn.Module, images: Tensor) -> None:
    model = tiny_classifier.to(memory_format=torch.channels_last)
    images = images[..., :12, :12].contiguous(memory_format=torch.channels_last)
    attack = create_attack(f"torchattacks/{name}", model, **QUICK.get(name, {}))
    assert attack(images, torch.arange(4)).shape == images.shape


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_in_half_precision(
    dtype: torch.dtype, tiny_classifier: nn.Module, images: Tensor
) -> None:
    model, images = tiny_classifier.to(dtype), images.to(dtype)
    attacked = create_attack("torchattacks/pgd", model, eps=0.03, seed=0)(images, torch.arange(4))
    assert attacked.dtype == dtype
    assert float((attacked.double() - images.double()).abs().max()) <= 0.03
    assert model(images).dtype == dtype  # its outputs are its own again


@pytest.mark.parametrize(
    ("name", "options", "fix"),
    [
        ("pgd", {"eps": 8}, "write 8/255"),
        ("pgd", {"eps": -0.1}, "eps is -0.1"),
        ("pgd", {"eps": float("nan")}, "eps is nan"),
        ("pgd", {"eps": "8/255"}, "eps is '8/255'"),
        ("pgd", {"alpha": 2}, "write 2/255"),
        ("apgd", {"eps": 8}, "write 8/255"),
        ("pifgsm", {"eps": 16}, "write 16/255"),
    ],
)
def test_levels_that_are_not_fractions(
    name: str, options: dict[str, object], fix: str, tiny_classifier: nn.Module
) -> None:
    with pytest.raises(InputError, match=fix):
        create_attack(f"torchattacks/{name}", tiny_classifier, **options)


def test_denoisers_are_sent_to_their_own_attacks(images: Tensor) -> None:
    with pytest.raises(InputError, match=r"attacks classifiers.*'denoising_pgd'.*denoiser DnCNN"):
        create_attack("torchattacks/pgd", create_denoiser("dncnn_test"))
    plain = nn.Conv2d(3, 3, 3, padding=1)
    with pytest.raises(InputError, match=r"attacks classifiers.*It got targets of shape"):
        create_attack("torchattacks/pgd", plain)(images - 0.1, images)


def test_float64_where_torchattacks_cannot(tiny_classifier: nn.Module, images: Tensor) -> None:
    attack = create_attack("torchattacks/tifgsm", tiny_classifier.double())
    with pytest.raises(InputError, match=r"cannot work in float64: give it images\.float"):
        attack(images.double(), torch.arange(4))


def test_the_classifiers_normalisation_is_applied(
    tiny_classifier: nn.Module, images: Tensor
) -> None:
    labels = torch.arange(len(images))
    options = {"eps": 0.03, "alpha": 0.01, "steps": 5, "random_start": False}
    ours = create_attack("torchattacks/pgd", tiny_classifier, **options)(images, labels)
    wrapped = NormalizedClassifier(tiny_classifier).eval()
    theirs = torchattacks.PGD(wrapped, **options)(images, labels)
    assert torch.equal(ours, theirs)
    bare = torchattacks.PGD(tiny_classifier, **options)(images, labels)
    assert not torch.equal(ours, bare)


def test_modes_come_back_also_when_the_model_raises(
    tiny_classifier: nn.Module, images: Tensor
) -> None:
    tiny_classifier.train()
    tiny_classifier[1].eval()
    tiny_classifier[0].weight.requires_grad_(False)
    modes = [m.training for m in tiny_classifier.modules()]
    flags = [p.requires_grad for p in tiny_classifier.parameters()]
    attack = create_attack("torchattacks/pgd", tiny_classifier, steps=2)
    attack(images, torch.arange(4))
    assert modes == [m.training for m in tiny_classifier.modules()]
    handle = tiny_classifier[3].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        attack(images, torch.arange(4))
    handle.remove()
    assert modes == [m.training for m in tiny_classifier.modules()]
    assert flags == [p.requires_grad for p in tiny_classifier.parameters()]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x: x * 2, "expected \\[0, 1\\]. Attacks take images before normalisation"),
        (lambda x: x.index_fill(3, torch.tensor(0), float("nan")), "NaN"),
        (lambda x: (x * 255).byte(), "\\.float\\(\\) / 255"),
        (lambda x: x[0, 0], "shape"),
        (lambda x: x[:, :1], "has 1 channels"),
        (lambda x: x[:0], "holds no image"),
    ],
)
def test_bad_inputs(
    tiny_classifier: nn.Module, images: Tensor, change: object, sentence: str
) -> None:
    attack = create_attack("torchattacks/pgd", tiny_classifier)
    with pytest.raises(InputError, match=sentence):
        attack(change(images), torch.arange(4))  # type: ignore[operator]


def test_labels_are_needed(tiny_classifier: nn.Module, images: Tensor) -> None:
    attack = create_attack("torchattacks/pgd", tiny_classifier)
    with pytest.raises(InputError, match="needs the labels"):
        attack(images)
    with pytest.raises(InputError, match="4 inputs and 3 targets"):
        attack(images, torch.arange(3))


def test_near_matches(tiny_classifier: nn.Module) -> None:
    with pytest.raises(UnknownNameError, match="'torchattacks/pgd'"):
        create_attack("torchattacks/pdg", tiny_classifier)
    with pytest.raises(InputError, match="Did you mean 'eps'"):
        create_attack("torchattacks/pgd", tiny_classifier, epz=0.1)


def test_attacks_may_hold_lists_of_tensors(tiny_classifier: nn.Module) -> None:
    attack = create_attack("torchattacks/pgd", tiny_classifier)
    attack.kept = [torch.rand(2), torch.rand(3)]  # torchattacks' own raises here
    assert len(attack.kept) == 2


def test_a_network_that_gives_images_is_told_from_a_classifier():
    """PGD ended in a sentence of torch's about spatial targets."""
    blur = nn.Conv2d(3, 3, 3, padding=1)
    attack = create_attack("torchattacks/pgd", blur, eps=8 / 255, steps=1)
    with pytest.raises(InputError, match=r"gave \(2, 3, 8, 8\) for 2 labels.*obsatk"):
        attack(torch.rand(2, 3, 8, 8), torch.tensor([0, 1]))
