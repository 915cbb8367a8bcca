"""Training a purifier, or purifier and classifier, by attacks through both."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_defenses.classification import LabelledBatches
from robust_restoration_defenses.one_step import (
    CatastrophicOverfittingWarning,
    one_step,
    warn_of_overfitting,
)
from robust_restoration_testing import check_defense
from torch import Generator, nn

import robust_restoration as rr
from robust_restoration.contracts import Step
from robust_restoration.errors import InputError

RESUNET = {"widths": (8, 8, 16), "blocks": (1, 1, 1), "stem": 4, "channels": 1}


@pytest.fixture
def data():
    """Two classes that differ in where the light comes from, with a fragile hint beside it."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(128) % 2
    sign = (2 * labels - 1).view(-1, 1, 1, 1)
    light = torch.linspace(-0.3, 0.3, 16).expand(128, 1, 16, 16)
    checks = ((torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2 - 1).view(1, 1, 16, 16)
    images = 0.5 + sign * (light + 0.05 * checks) + 0.1 * torch.randn(
        128, 1, 16, 16, generator=draw
    )
    return rr.LabelledImages((images.clamp(0, 1) * 255).byte(), labels, name="ramps")


@pytest.fixture
def classifier(data):
    """It sees the hint and, pooling over the image, not the light: a small change misleads it."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 2),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(data.pixels(slice(None))), data.labels).backward()
        optimizer.step()
    model.zero_grad()
    return model.eval()


def batch_of(data, count=16):
    return LabelledBatches(data).batch(torch.arange(count), Generator(), "purifier")


def held(model, data, eps, steps=20):
    """Accuracy under PGD."""
    images, labels = data.pixels(slice(None)), data.labels
    attack = rr.create_attack("torchattacks/pgd", model, eps=eps, alpha=eps / 5, steps=steps)
    return float((model(attack(images, labels)).argmax(1) == labels).float().mean())


VARIANTS = [
    {},
    {"labels": False},
    {"consistency": 1.0, "clean": 0.5},
    {"attack": "torchattacks/pgd", "steps": 2},
    {"feature_share": 0.5, "feature_weight": 0.5, "classes": 2},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", VARIANTS)
def test_conforms(options, classifier, data):
    defense = rr.create_defense(
        "adversarial_purifier", classifier=classifier, eps=(0, 0.05), **options
    )
    check_defense(defense, rr.create_purifier("resunet", **RESUNET), data)


def test_joint_conforms(classifier, data):
    purifier = rr.create_purifier("resunet", **RESUNET)
    check_defense(rr.create_defense("joint", eps=0.05), purified(classifier, purifier), data)


def purified(classifier, purifier):
    return rr.PurifiedClassifier(copy.deepcopy(classifier), purifier)


@pytest.mark.slow
@pytest.mark.parametrize("options", VARIANTS)
def test_only_the_purifier_is_trained(options, classifier, data):
    classifier.train()  # whatever its mode and flags are, they stay
    classifier[0].weight.requires_grad_(False)
    flags = [p.requires_grad for p in classifier.parameters()]
    before = copy.deepcopy(classifier.state_dict())
    defense = rr.create_defense(
        "adversarial_purifier", classifier=classifier, eps=0.05, **options
    )
    purifier = rr.create_purifier("resunet", **RESUNET).train()
    behind = copy.deepcopy(defense.classifier.state_dict())
    loss, _ = defense.loss(purifier, batch_of(data), Step("purifier"))
    loss.backward()
    assert purifier.decoder.out.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in classifier.parameters())
    assert all(p.grad is None for p in defense.classifier.parameters())
    assert all(torch.equal(v, before[k]) for k, v in classifier.state_dict().items())
    assert all(torch.equal(v, behind[k]) for k, v in defense.classifier.state_dict().items())
    assert classifier.training
    assert not defense.classifier.training
    assert [p.requires_grad for p in classifier.parameters()] == flags
    assert purifier.training
    assert all(p.requires_grad for p in purifier.parameters())


def test_the_first_stage_trains_the_encoder_alone(classifier, data):
    defense = rr.create_defense(
        "adversarial_purifier", classifier=classifier, feature_share=0.25, classes=2
    )
    purifier = rr.create_purifier("resunet", **RESUNET).train()
    first, last = defense.stages(purifier)
    assert (first.name, first.share, last.share) == ("features", 0.25, 0.75)
    loss, _ = defense.loss(purifier, batch_of(data), Step("features"))
    loss.backward()
    trained = {id(p) for p in first.trained(purifier)}
    assert all((p.grad is not None) == (id(p) in trained) for p in purifier.parameters())


@pytest.mark.parametrize("steps", [1, 3])
def test_one_step_keeps_to_each_budget(steps, classifier, data):
    images, labels = data.pixels(slice(0, 32)), data.labels[:32]
    images[0], images[1] = 0, 1  # where the range is the tighter bound
    eps = torch.linspace(0, 0.1, 32)
    attacked = one_step(classifier, images, labels, eps, Generator(), steps=steps)
    change = (attacked - images).abs().flatten(1).amax(1)
    assert (change <= eps + 1e-6).all()
    assert torch.equal(attacked[0], images[0])
    assert 0 <= attacked.min() <= attacked.max() <= 1
    assert not attacked.requires_grad
    # It moves and does harm.
    assert (change[2:] > 0.9 * eps[2:]).all()
    with torch.no_grad():
        loss = [F.cross_entropy(classifier(x), labels) for x in (images, attacked)]
    assert loss[1] > loss[0] + 0.1


def test_one_step_is_drawn_from_the_generator_and_leaves_the_mode(classifier, data):
    images, labels = data.pixels(slice(0, 8)), data.labels[:8]
    eps = torch.full((8,), 0.05)
    classifier.train()
    found = [
        one_step(classifier, images, labels, eps, Generator().manual_seed(s)) for s in (1, 1, 2)
    ]
    assert classifier.training
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_without_a_gradient_it_is_the_start():
    """On a constant model what is left is the random start, evenly over the budget."""
    images = torch.full((4, 1, 32, 32), 0.5)
    constant = nn.Sequential(nn.Flatten(), nn.Linear(1024, 2))
    nn.init.zeros_(constant[1].weight)
    found = one_step(
        constant, images, torch.zeros(4).long(), torch.full((4,), 0.1), Generator()
    )
    assert (found - images).abs().mean() == pytest.approx(0.05, rel=0.05)


def test_losses_by_hand(classifier, data):
    purifier = rr.create_purifier("resunet", **RESUNET).eval()
    batch = batch_of(data)
    images, labels = batch["images"], batch["labels"]

    def loss(**options):
        defense = rr.create_defense(
            "adversarial_purifier", classifier=classifier, eps=0.05, **options
        )
        step = Step("purifier", generator=Generator().manual_seed(3))
        return defense, defense.loss(purifier, batch, step)[0]

    defense, plain = loss()
    whole = defense.whole(purifier, "purifier")
    attacked = defense.attacked(whole, images, labels, Generator().manual_seed(3))
    clean, under = whole(images).softmax(1), whole(attacked).softmax(1)
    rows = torch.arange(len(labels))
    fit = -under.log()[rows, labels].mean()
    assert torch.allclose(plain, fit, rtol=1e-4)
    apart = (clean * (clean.log() - under.log())).sum(1).mean()
    assert torch.allclose(loss(consistency=2.0)[1], fit + 2 * apart, rtol=1e-4)
    easy = -clean.log()[rows, labels].mean()
    assert torch.allclose(loss(clean=0.5)[1], fit + 0.5 * easy, rtol=1e-4)
    head = nn.init.orthogonal_(torch.empty(2, 16), generator=Generator().manual_seed(0))
    side = F.cross_entropy(purifier.features(attacked) @ head.T, labels)
    found = loss(feature_weight=0.3, classes=2)[1]
    assert torch.allclose(found, fit + 0.3 * side, rtol=1e-4)


def test_without_labels_the_classifier_says(classifier, data):
    defense = rr.create_defense("adversarial_purifier", classifier=classifier, labels=False)
    purifier = rr.create_purifier("resunet", **RESUNET).eval()
    batch = batch_of(data)
    wrong = {**batch, "labels": 1 - batch["labels"]}
    losses = [
        defense.loss(purifier, b, Step("purifier", generator=Generator().manual_seed(0)))[0]
        for b in (batch, wrong)
    ]
    assert torch.equal(*losses)


@pytest.mark.slow
def test_a_trained_purifier_holds_where_an_untrained_one_does_not(classifier, data):
    eps = 0.08
    defense = rr.create_defense(
        "adversarial_purifier", classifier=classifier, eps=(0, eps), feature_share=0.3,
        feature_weight=0.3, classes=2,
    )
    torch.manual_seed(0)
    purifier = rr.create_purifier("resunet", additive=False, **RESUNET)
    untrained = copy.deepcopy(purifier).eval()
    losses = []
    rr.train(
        purifier, defense, data, steps=150, batch_size=32, lr=5e-3, progress=False,
        on_step=lambda _, figures: losses.append(figures["loss"]),
    )
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    bare = held(classifier, data, eps)
    before = held(purified(classifier, untrained), data, eps)
    after = held(purified(classifier, purifier), data, eps)
    assert bare < 0.4
    assert after > 0.8 > 0.6 > before


def test_sgd_decays_weights_and_no_norms(classifier):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert rr.create_defense("joint").optimizer(model.parameters(), 0.1) is None
    found = rr.create_defense("joint", sgd=5e-4).optimizer(model.parameters(), 0.1)
    decays = {id(p): g["weight_decay"] for g in found.param_groups for p in g["params"]}
    assert [decays[id(p)] for p in model.parameters()] == [5e-4, 0, 0, 0]
    assert all(g["nesterov"] and g["lr"] == 0.1 for g in found.param_groups)


def test_joint_trains_both(classifier, data):
    model = purified(classifier, rr.create_purifier("resunet", **RESUNET)).train()
    loss, _ = rr.create_defense("joint", eps=0.05).loss(
        model, batch_of(data), Step("train"))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_validation_sees_overfitting(classifier, data):
    defense = rr.create_defense("adversarial_purifier", classifier=classifier, eps=0.05)
    found = defense.validate(
        rr.create_purifier("resunet", **RESUNET).eval(), batch_of(data), "purifier"
    )
    assert set(found) == {"accuracy", "one_step_accuracy", "pgd_accuracy"}
    assert found["pgd_accuracy"] <= found["one_step_accuracy"] + 0.1
    with pytest.warns(CatastrophicOverfittingWarning, match="earlier checkpoint"):
        warn_of_overfitting(0.8, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_overfitting(0.3, 0.2)
        warn_of_overfitting(0.1, 0.0)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("joint", {"eps": 8}, "8/255"),
        ("joint", {"eps": (0.1, 0.05)}, "the lower level first"),
        ("joint", {"eps": 0}, "above 0"),
        ("joint", {"steps": 0}, "1 or more"),
        ("joint", {"sgd": -1}, "sgd is -1"),
        ("joint", {"consistency": -1}, "at least 0"),
        ("joint", {"attack_options": {"norm": 2}}, "attacks by name"),
        ("adversarial_purifier", {"feature_share": 1}, "below 1"),
        ("adversarial_purifier", {"classes": 1}, "two classes"),
    ],
)
def test_bad_options(name, options, sentence):
    more = {"classifier": nn.Identity()} if name == "adversarial_purifier" else {}
    with pytest.raises(InputError, match=sentence):
        rr.create_defense(name, **more, **options)


def test_a_purifier_without_features_is_refused(classifier):
    defense = rr.create_defense(
        "adversarial_purifier", classifier=classifier, feature_weight=1.0
    )
    with pytest.raises(InputError, match="'resunet'"):
        defense.stages(rr.create_purifier("additive", channels=1))
