import pytest
import torch
from robust_restoration_defenses.classification import LabelledBatches
from robust_restoration_testing import check_defense
from torch import nn

import robust_restoration as rr
from robust_restoration.contracts import Step
from robust_restoration.errors import InputError

QUICK = {"eps": 0.05, "steps": 2}


@pytest.fixture
def data():
    """Two classes that differ in where the light comes from."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    ramp = torch.linspace(0.2, 0.8, 12).expand(64, 1, 12, 12)
    images = torch.where(labels.view(-1, 1, 1, 1) == 1, ramp, ramp.flip(3))
    images = (images + 0.1 * torch.randn(images.shape, generator=draw)).clamp(0, 1)
    return rr.LabelledImages((images * 255).byte(), labels, name="ramps")


def classifier():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(100, 2)
    )


DEFENSES = [("madry", {}), ("madry", {"mix": 0.5}), ("trades", {})]


@pytest.mark.parametrize(("name", "options"), DEFENSES)
def test_conforms(name, options, data):
    check_defense(rr.create_defense(name, **QUICK, **options), classifier(), data)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), DEFENSES)
def test_it_makes_a_classifier_hold(name, options, data):
    defense = rr.create_defense(name, **QUICK, **options)
    model = classifier()
    rr.train(model, defense, data, steps=60, batch_size=16, lr=1e-2, progress=False)
    attack = rr.create_attack("torchattacks/pgd", model, eps=0.05, alpha=0.0125, steps=10)
    images, labels = data.pixels(slice(None)), data.labels
    accuracy = (model(attack(images, labels)).argmax(1) == labels).float().mean()
    assert accuracy > 0.9


def test_the_inner_attack_keeps_to_its_budget_and_leaves_the_mode(data):
    model = classifier().train()
    batch = LabelledBatches(data).batch(torch.arange(8), torch.Generator(), "train")
    defense = rr.create_defense("madry", **QUICK)
    attacked = defense.attacked(model, batch["images"], batch["labels"])
    assert (attacked - batch["images"]).abs().max() <= 0.05 + 1e-6
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_half_of_a_batch(data):
    model, seen = classifier(), []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    batch = LabelledBatches(data).batch(torch.arange(8), torch.Generator(), "train")
    rr.create_defense("madry", mix=0.5, **QUICK).loss(model, batch, Step("train"))
    changed = (seen[-1] != batch["images"]).flatten(1).any(1)
    assert changed.tolist() == [True] * 4 + [False] * 4


def test_trades_by_hand(data):
    model = classifier().eval()
    batch = LabelledBatches(data).batch(torch.arange(8), torch.Generator(), "train")
    defense = rr.create_defense("trades", beta=3.0, **QUICK)
    torch.manual_seed(0)
    attacked = defense.attacked(model, batch["images"], batch["labels"])
    torch.manual_seed(0)
    loss, _ = defense.loss(model, batch, Step("train"))
    clean, under = (model(i).softmax(1) for i in (batch["images"], attacked))
    fit = -clean.log()[torch.arange(8), batch["labels"]].mean()
    apart = (clean * (clean.log() - under.log())).sum(1).mean()
    assert torch.allclose(loss, fit + 3 * apart, rtol=1e-4)


def test_batches_shift_and_mirror(data):
    batches = LabelledBatches(data, shift=2, mirror=True)
    one, two = (
        batches.batch(torch.arange(32), torch.Generator().manual_seed(s), "train")["images"]
        for s in (1, 1)
    )
    assert torch.equal(one, two)
    assert one.shape == (32, 1, 12, 12)
    plain = data.pixels(torch.arange(32))
    centre = plain[..., 4:8, 4:8]
    places = {
        (dy, dx, flip)
        for row in range(32)
        for dy in range(-2, 3)
        for dx in range(-2, 3)
        for flip in (False, True)
        if torch.equal(
            (one[row].flip(2) if flip else one[row])[:, 4 + dy : 8 + dy, 4 + dx : 8 + dx],
            centre[row],
        )
    }
    assert {flip for *_, flip in places} == {False, True}
    assert len({(dy, dx) for dy, dx, _ in places}) > 8


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("madry", {"mix": 0}, "above 0"),
        ("madry", {"eps": 8}, "write 8/255"),
        ("trades", {"beta": -1}, "0 or more"),
        ("trades", {"mix": 0.5}, "leave mix out"),
    ],
)
def test_bad_options(name, options, sentence):
    with pytest.raises(InputError, match=sentence):
        rr.create_defense(name, **options)
