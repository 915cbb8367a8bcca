"""The two-stage training: what is trained when, on what, and by which loss."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.pairs import AdversarialPairs
from torch import Tensor, nn

from robust_restoration import create_defense, create_purifier, train
from robust_restoration.contracts import Step
from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import NormalizedClassifier


@pytest.fixture
def pairs(photographs: Tensor) -> AdversarialPairs:
    images = (photographs.repeat(4, 1, 1, 1) * 255).round().to(torch.uint8)
    strengths = torch.tensor([1e-3, 3e-2, 3e-1]).expand(16, 3)
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(16, 3, 3, 32, 32, generator=generator) * 2 - 1
    data = LabelledImages(images, torch.arange(16) % 10)
    return AdversarialPairs(data, (noise * strengths[..., None, None, None]).half(), strengths)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[k], b[k]) for k in a)


def test_each_stage_trains_its_part_only(
    tiny_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    model = create_purifier("advfilter", width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier, fusion_share=0.5)
    before = state(model.net), state(model.fusion), state(tiny_classifier)
    seen: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    train(
        model, method, pairs, steps=6, batch_size=8, progress=False,
        on_step=lambda *_: seen.append((state(model.net), state(model.fusion))),
    )
    nets, fusions = [before[0], *(s[0] for s in seen)], [before[1], *(s[1] for s in seen)]
    changed = [(not same(a, b)) for a, b in pairwise(nets)]
    assert changed == [True] * 3 + [False] * 3
    changed = [(not same(a, b)) for a, b in pairwise(fusions)]
    assert changed == [False] * 3 + [True] * 3
    assert same(before[2], tiny_classifier.state_dict())


@pytest.mark.parametrize("name", ["additive", "filtering", "multi_head"])
def test_others_have_one_stage(tiny_classifier: nn.Module, name: str) -> None:
    model = create_purifier(name, width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier)
    assert [s.name for s in method.stages(model)] == ["filters"]


@pytest.mark.parametrize(
    ("name", "stages"),
    [("filtering", ["filters", "gate"]), ("advfilter", ["filters", "fusion", "gate"])],
)
def test_a_gate_is_trained_last_and_alone(
    tiny_classifier: nn.Module, pairs: AdversarialPairs, name: str, stages: list[str]
) -> None:
    model = create_purifier(name, width=0.05, gate=True)
    method = create_defense("advfilter", classifier=tiny_classifier, gate_share=0.5)
    assert [s.name for s in method.stages(model)] == stages
    gates, rests = [state(model.gate)], [state(model)]
    train(
        model, method, pairs, steps=8, batch_size=8, progress=False,
        on_step=lambda *_: (gates.append(state(model.gate)), rests.append(state(model))),
    )
    changed = [(not same(a, b)) for a, b in pairwise(gates)]
    assert changed == [False] * 4 + [True] * 4
    last = {k: v for k, v in rests[4].items() if not k.startswith("gate.")}
    assert same(last, rests[-1])


def test_shares_of_stages(tiny_classifier: nn.Module) -> None:
    model = create_purifier("advfilter", width=0.05, gate=True)

    def stages(fusion: float, gate: float) -> list[str]:
        shares = {"fusion_share": fusion, "gate_share": gate}
        method = create_defense("advfilter", classifier=tiny_classifier, **shares)
        return [stage.name for stage in method.stages(model)]

    assert stages(0.9, 0.1) == ["fusion", "gate"]
    assert stages(0, 1) == ["gate"]
    for wrong in ((0.9, 0.2), (-0.1, 0.2), (0.2, -0.1)):
        with pytest.raises(InputError, match="expected shares of at least 0"):
            stages(*wrong)


def test_gate_loss_by_hand(tiny_classifier: nn.Module, pairs: AdversarialPairs) -> None:
    """Clean images, and those of the attacked that rounding does not bring back."""
    model = create_purifier("filtering", width=0.05, gate=True, input_bits=8).eval()
    method = create_defense("advfilter", classifier=tiny_classifier)
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "gate")
    assert bool((batch["eps"] > 0).all())
    loss, _ = method.loss(model, batch, Step("gate"))
    clean = model.gate(batch["clean"])
    kept = batch["eps"] > 1 / 510
    attacked = model.gate((batch["attacked"][kept] * 255).round() / 255)
    assert 0 < len(attacked) < 16
    every = torch.cat([F.softplus(clean), F.softplus(-attacked)])
    torch.testing.assert_close(loss, every.mean())


def test_a_gate_learns_to_tell_attacked_images(
    tiny_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    model = create_purifier("filtering", width=0.05, gate=True)
    method = create_defense("advfilter", classifier=tiny_classifier, gate_share=1)
    strong = AdversarialPairs(pairs.data, pairs.perturbations[:, 1:], pairs.strengths[:, 1:])
    train(model, method, strong, steps=60, batch_size=16, lr=5e-4, progress=False)
    model.eval()
    batch = strong.batch(torch.arange(16), torch.Generator().manual_seed(5), "gate")
    assert float(model.gate.share(batch["clean"]).mean()) < 0.1
    assert float(model.gate.share(batch["attacked"]).mean()) > 0.9


@pytest.mark.parametrize("distance", ["kl", "l1"])
def test_loss_by_hand(
    tiny_classifier: nn.Module, pairs: AdversarialPairs, distance: str
) -> None:
    model = create_purifier("filtering", width=0.05)
    method = create_defense(
        "advfilter", classifier=tiny_classifier, image=0.3, semantic=0.7, distance=distance
    )
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "filters")
    loss, _ = method.loss(model, batch, Step("filters"))
    out = model.outputs(batch["attacked"])["out"]
    whole = NormalizedClassifier(tiny_classifier)
    expected, found = whole(batch["clean"]), whole(out)
    if distance == "l1":
        change = (expected - found).abs().mean(dim=1)
    else:
        p = expected.softmax(dim=1)
        change = (p * (p.log() - found.log_softmax(dim=1))).sum(dim=1)
    change = change[batch["eps"] <= 0.05]  # beyond semantic_up_to it counts as none
    assert 0 < len(change) < 16
    expected = 0.3 * (out - batch["clean"]).abs().mean() + 0.7 * change.sum() / 16
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("kind", ["error", "cross-entropy"])
def test_fusion_loss_by_hand(
    tiny_classifier: nn.Module, pairs: AdversarialPairs, kind: str
) -> None:
    model = create_purifier("advfilter", width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier, fusion_loss=kind)
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "fusion")
    loss, _ = method.loss(model, batch, Step("fusion"))
    out = model.outputs(batch["attacked"])["out"]
    given = NormalizedClassifier(tiny_classifier)(out).softmax(dim=1)[
        torch.arange(16), batch["label"]
    ]
    each = 1 - given if kind == "error" else -given.log()
    torch.testing.assert_close(loss, each[batch["eps"] <= 0.05].mean())


def test_named_layer_is_compared(tiny_classifier: nn.Module, pairs: AdversarialPairs) -> None:
    model = create_purifier("additive", width=0.05)
    method = create_defense(
        "advfilter", classifier=tiny_classifier, image=0.0, semantic=1.0, distance="l1",
        layer="0", semantic_up_to=1.0,
    )
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "filters")
    loss, _ = method.loss(model, batch, Step("filters"))
    whole = NormalizedClassifier(tiny_classifier)
    out = model.outputs(batch["attacked"])["out"]
    first = tiny_classifier[0]
    expected = F.l1_loss(first(whole.normalize(out)), first(whole.normalize(batch["clean"])))
    torch.testing.assert_close(loss, expected)


def test_second_decoder_learns_from_median_strengths_only(
    tiny_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    model = create_purifier("advfilter", width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier, median_strengths=(3e-2,))
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "filters")
    chosen = torch.isclose(batch["eps"], torch.tensor(3e-2))
    assert 0 < int(chosen.sum()) < 16
    parts = method._parts(model.outputs(batch["attacked"]), batch["eps"])
    assert torch.equal(parts["median"][1], chosen)
    assert bool(parts["small_large"][1].all())


def test_heads_learn_from_their_own_strengths(tiny_classifier: nn.Module) -> None:
    model = create_purifier("multi_head", width=0.05).train()
    method = create_defense("advfilter", classifier=tiny_classifier)
    eps = torch.tensor([1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1, 0.0])
    parts = method._parts(model.outputs(torch.rand(9, 3, 16, 16)), eps)
    rows = {name: mask.nonzero().flatten().tolist() for name, (_, mask) in parts.items()}
    assert rows == {"head_1": [0, 1], "head_2": [2, 3], "head_3": [4, 5], "head_4": [6, 7]}


def test_training_takes_noise_out(tiny_classifier: nn.Module, pairs: AdversarialPairs) -> None:
    model = create_purifier("filtering", width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier, semantic=0.0, image=1.0)
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(3), "filters")
    before = method.loss(model, batch, Step("filters"))[0].detach()
    train(model, method, pairs, steps=120, batch_size=16, lr=4e-3, progress=False)
    after = method.loss(model, batch, Step("filters"))[0].detach()
    assert after < 0.9 * before
    assert after < 0.95 * (batch["attacked"] - batch["clean"]).abs().mean()


def test_prepare_splits_and_attacks(tiny_classifier: nn.Module, tmp_path: object) -> None:
    data = LabelledImages(torch.randint(0, 256, (20, 3, 32, 32)).byte(), torch.arange(20) % 10)
    method = create_defense(
        "advfilter", classifier=tiny_classifier, per_image=2, attack_steps=1, cache=tmp_path,
        flip=True,
    )
    training, validation = method.prepare(data, val_fraction=0.25, progress=False)
    assert (len(training), len(validation)) == (15, 5)
    assert training.flip
    assert not validation.flip
    seen = {tuple(i.flatten()[:20].tolist()) for i in training.data.images}
    assert not seen & {tuple(i.flatten()[:20].tolist()) for i in validation.data.images}


def test_mosaics_are_trained_on_and_hold_nothing_held_out(
    tiny_classifier: nn.Module, tmp_path: object
) -> None:
    plain = torch.arange(20).view(20, 1, 1, 1).expand(20, 3, 32, 32) * 10
    data = LabelledImages(plain.byte().contiguous(), torch.arange(20) % 10)
    method = create_defense(
        "advfilter", classifier=tiny_classifier, per_image=1, attack_steps=1, cache=tmp_path,
        mosaics=6,
    )
    training, validation = method.prepare(data, val_fraction=0.25, progress=False)
    assert (len(training), len(validation)) == (21, 5)
    held_out = set(validation.data.images.flatten().tolist())
    mosaics = training.data.images[15:]
    assert all(len(image.unique()) > 1 for image in mosaics)
    assert not held_out & set(training.data.images.flatten().tolist())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer": "layer9", "distance": "l1"}, "has no layer 'layer9'"),
        ({"image": 0.0, "semantic": 0.0}, "not both 0"),
        ({"fusion_loss": "l2"}, "expected 'error' or"),
        ({"distance": "l2"}, "expected 'l1' with any layer"),
        ({"distance": "kl", "layer": "0"}, "take no layer"),
        ({"distance": "saturated-kl", "layer": "0"}, "take no layer"),
    ],
)
def test_bad_options(
    tiny_classifier: nn.Module, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        create_defense("advfilter", classifier=tiny_classifier, **options)
