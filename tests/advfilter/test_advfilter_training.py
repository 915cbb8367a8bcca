"""The two-stage training: what is trained when, on what, and by which loss."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_advfilter.grain import fine_grain
from robust_restoration_advfilter.pairs import AdversarialPairs
from robust_restoration_advfilter.training import _parts
from torch import Tensor, nn

from robust_restoration import create_defense, create_purifier, train
from robust_restoration.contracts import Step
from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import NormalizedClassifier


@pytest.fixture
def other_classifier() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 10)).eval()


@pytest.fixture
def pairs(photographs: Tensor, tiny_classifier: nn.Module) -> AdversarialPairs:
    """16 images, uniform noise of 3e-3 and 3e-2 by turns, all of one classifier."""
    clean = (photographs.repeat(4, 1, 1, 1) * 255).round().to(torch.uint8)
    epsilons = torch.tensor([3e-3, 3e-2]).repeat(8)
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(clean.shape, generator=generator) * 2 - 1
    with torch.no_grad():
        said = NormalizedClassifier(tiny_classifier)(clean.float() / 255).log_softmax(dim=1)
    return AdversarialPairs(
        clean, (noise * epsilons.view(-1, 1, 1, 1)).half(), epsilons, said,
        torch.zeros(16, dtype=torch.long), torch.arange(16),
    )


def state(module: nn.Module) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[k], b[k]) for k in a)


def test_each_stage_trains_its_part_only(
    tiny_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    model = create_purifier("advfilter", width=0.05)
    method = create_defense(
        "advfilter", classifier=tiny_classifier, detector_share=0.25, fusion_share=0.25
    )
    assert [s.name for s in method.stages(model)] == ["filters", "detector", "fusion"]
    parts = [model.net, model.fusion.detector.last, model.fusion.layers]
    before = state(tiny_classifier)
    seen = [[state(part) for part in parts]]
    train(
        model, method, pairs, steps=8, batch_size=8, progress=False,
        on_step=lambda *_: seen.append([state(part) for part in parts]),
    )
    changed = [
        [not same(a, b) for a, b in pairwise(states)] for states in zip(*seen, strict=True)
    ]
    assert changed[0] == [True] * 4 + [False] * 4
    assert changed[1] == [False] * 4 + [True] * 2 + [False] * 2
    assert changed[2] == [False] * 6 + [True] * 2
    assert same(before, tiny_classifier.state_dict())


@pytest.mark.parametrize("name", ["additive", "filtering", "multi_head"])
def test_others_have_one_stage(tiny_classifier: nn.Module, name: str) -> None:
    model = create_purifier(name, width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier)
    assert [s.name for s in method.stages(model)] == ["filters"]


@pytest.mark.parametrize(
    ("detector", "shares", "names"),
    [
        (True, (0.0, 0.0), ["filters"]),
        (True, (0.0, 1.0), ["fusion"]),
        (True, (0.9, 0.1), ["detector", "fusion"]),
        (False, (0.4, 0.1), ["filters", "fusion"]),
    ],
)
def test_a_stage_may_be_left_out(
    tiny_classifier: nn.Module, detector: bool, shares: tuple[float, float], names: list[str]
) -> None:
    given = dict(zip(("detector_share", "fusion_share"), shares, strict=True))
    method = create_defense("advfilter", classifier=tiny_classifier, **given)
    model = create_purifier("advfilter", width=0.05, detector=detector)
    assert [s.name for s in method.stages(model)] == names


def test_detector_loss_by_hand(tiny_classifier: nn.Module, pairs: AdversarialPairs) -> None:
    """Clean images, and those of the attacked that rounding does not bring back."""
    model = create_purifier("advfilter", width=0.05, input_bits=8).eval()
    method = create_defense("advfilter", classifier=tiny_classifier)
    pairs.epsilons[:4] = 1e-3
    pairs.perturbations[:4] = 1e-3
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "detector")
    assert bool((batch["eps"] > 0).all())
    loss, _ = method.loss(model, batch, Step("detector"))
    attacked = (batch["attacked"][4:] * 255).round() / 255
    every = [
        F.softplus(sign * model.fusion.detector(fine_grain(images)))
        for sign, images in ((-1, batch["clean"]), (1, attacked))
    ]
    torch.testing.assert_close(loss, torch.cat(every).mean())


@pytest.mark.parametrize("stage", ["filters", "fusion"])
def test_loss_by_hand(tiny_classifier: nn.Module, pairs: AdversarialPairs, stage: str) -> None:
    """What the classifier says of the purified image, from what it says of the clean one."""
    model = create_purifier("filtering" if stage == "filters" else "advfilter", width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier, image=0.3, semantic=0.7)
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), stage)
    loss, _ = method.loss(model, batch, Step(stage))
    out = model.outputs(batch["attacked"])["out"]
    whole = NormalizedClassifier(tiny_classifier)
    p, found = whole(batch["clean"]).softmax(dim=1), whole(out)
    kl = (p * (p.log() - found.log_softmax(dim=1))).sum(dim=1)
    expected = 0.3 * (out - batch["clean"]).abs().mean() + 0.7 * (kl / (1 + kl)).mean()
    torch.testing.assert_close(loss, expected)


def test_each_image_is_seen_by_the_classifier_it_was_attacked_on(
    tiny_classifier: nn.Module, other_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    pairs.classifiers[8:] = 1
    model = create_purifier("filtering", width=0.05)
    both = create_defense(
        "advfilter", classifier=[tiny_classifier, other_classifier], image=0.0, semantic=1.0
    )
    alone = [
        create_defense("advfilter", classifier=c, image=0.0, semantic=1.0)
        for c in (tiny_classifier, other_classifier)
    ]
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "filters")
    loss, _ = both.loss(model, batch, Step("filters"))
    halves = []
    for method, rows in zip(alone, (slice(0, 8), slice(8, 16)), strict=True):
        part = {name: value[rows] for name, value in batch.items()}
        part["classifier"] = torch.zeros(8, dtype=torch.long)
        halves.append(method.loss(model, part, Step("filters"))[0])
    torch.testing.assert_close(loss, (halves[0] + halves[1]) / 2)


def test_named_layer_is_compared(tiny_classifier: nn.Module, pairs: AdversarialPairs) -> None:
    model = create_purifier("additive", width=0.05)
    method = create_defense(
        "advfilter", classifier=tiny_classifier, image=0.0, semantic=1.0, layer="0"
    )
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "filters")
    loss, _ = method.loss(model, batch, Step("filters"))
    whole = NormalizedClassifier(tiny_classifier)
    out = model.outputs(batch["attacked"])["out"]
    first = tiny_classifier[0]
    expected = F.l1_loss(first(whole.normalize(out)), first(whole.normalize(batch["clean"])))
    torch.testing.assert_close(loss, expected)


def test_decoders_learn_from_their_own_strengths(tiny_classifier: nn.Module) -> None:
    eps = torch.tensor([0.0, 1e-3, 2e-3, 3e-3, 1e-2, 0.5])
    method = create_defense("advfilter", classifier=tiny_classifier)
    assert method._decoders(eps, torch.Generator()).flatten().tolist() == [1, 1, 0, 0, 0, 0]
    paper = create_defense(
        "advfilter", classifier=tiny_classifier, small_up_to=0.5, large_from=0.1
    )
    many = torch.cat([eps, torch.full((200,), 0.5)])
    drawn = paper._decoders(many, torch.Generator().manual_seed(0)).flatten()
    assert drawn[:5].tolist() == [1] * 5
    assert 60 < int(drawn[6:].sum()) < 140


def test_gradients_reach_only_the_decoder_that_an_image_is_for(
    tiny_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    model = create_purifier("advfilter", width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier)
    pairs.clean_share = 0.0
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "filters")
    method.loss(model, batch, Step("filters"))[0].backward()
    sizes = [
        max(float(p.grad.abs().max()) for p in decoder.parameters())
        for decoder in model.net.decoders
    ]
    assert sizes[0] == 0
    assert sizes[1] > 0


def test_heads_learn_from_their_own_strengths() -> None:
    model = create_purifier("multi_head", width=0.05).train()
    eps = torch.tensor([1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1, 0.0])
    parts = _parts(model.outputs(torch.rand(9, 3, 16, 16)), eps)
    rows = {name: mask.nonzero().flatten().tolist() for name, (_, mask) in parts.items()}
    assert rows == {"head_1": [0, 1], "head_2": [2, 3], "head_3": [4, 5], "head_4": [6, 7]}


@pytest.mark.slow
def test_training_takes_noise_out(tiny_classifier: nn.Module, pairs: AdversarialPairs) -> None:
    model = create_purifier("filtering", width=0.05)
    method = create_defense("advfilter", classifier=tiny_classifier, semantic=0.0, image=1.0)
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(3), "filters")
    before = method.loss(model, batch, Step("filters"))[0].detach()
    train(model, method, pairs, steps=120, batch_size=16, lr=4e-3, progress=False)
    after = method.loss(model, batch, Step("filters"))[0].detach()
    assert after < 0.9 * before


@pytest.mark.slow
def test_fusion_weight_learns_to_follow_the_strength(
    tiny_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    model = create_purifier("advfilter", width=0.05)
    method = create_defense(
        "advfilter", classifier=tiny_classifier, detector_share=0.5, fusion_share=0.2
    )
    train(model, method, pairs, steps=100, batch_size=16, lr=1e-3, progress=False)
    with torch.no_grad():
        clean = pairs.clean.float() / 255
        weights = [
            float(model.outputs(images)["weight"].mean())
            for images in (clean, clean + pairs.perturbations.float())
        ]
    assert weights[0] > weights[1] + 0.3


@pytest.mark.parametrize("labels", [True, False])
def test_prepare_splits_by_image_and_attacks_without_labels(
    tiny_classifier: nn.Module, other_classifier: nn.Module, tmp_path: Path, labels: bool
) -> None:
    images = torch.randint(0, 256, (20, 3, 32, 32)).byte()
    data = LabelledImages(images, torch.arange(20) % 10) if labels else images
    method = create_defense(
        "advfilter", classifier=[tiny_classifier, other_classifier], per_image=2, attack_steps=1,
        cache=tmp_path, augment=True,
    )
    training, validation = method.prepare(data, val_fraction=0.25, progress=False)
    assert (len(training), len(validation)) == (60, 20)
    assert not set(training.images.tolist()) & set(validation.images.tolist())
    assert method.prepare(data, val_fraction=0.0, progress=False)[1] is None


def test_a_folder_of_photographs_of_any_size_will_do(
    tiny_classifier: nn.Module, tmp_path: Path
) -> None:
    from PIL import Image

    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, size in enumerate([(40, 50), (32, 32), (70, 33), (20, 25)]):
        Image.effect_noise(size, 50).convert("RGB").save(folder / f"{number}.png")
    method = create_defense(
        "advfilter", classifier=tiny_classifier, attack_steps=1, cache=tmp_path / "cache"
    )
    for data in (folder, str(folder), [folder]):
        pairs, _ = method.prepare(data, val_fraction=0, progress=False)
        assert pairs.clean[:].shape == (4, 3, 32, 32)


def test_validation_counts_kept_predictions(
    tiny_classifier: nn.Module, pairs: AdversarialPairs
) -> None:
    model = create_purifier("advfilter", width=0.05).eval()
    method = create_defense("advfilter", classifier=tiny_classifier)
    pairs.clean_share = 1.0
    for decoder in model.net.decoders:  # the first is the identity then
        nn.init.zeros_(decoder.heads[0].weight)
    nn.init.constant_(model.fusion.layers[-1].bias, 50.0)
    batch = pairs.batch(torch.arange(16), torch.Generator().manual_seed(0), "filters")
    found = method.validate(model, batch, "fusion")
    expected: dict[str, Any] = {
        "kept": 1, "kept_clean": 1, "clean": 1, "weight": 1, "weight_clean": 1, "mae": 0
    }
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer": "layer9"}, "has no layer 'layer9'"),
        ({"image": 0.0, "semantic": 0.0}, "not both 0"),
        ({"fusion_share": 0.8}, "fusion_share 0.8"),
        ({"detector_share": -0.1}, "detector_share is -0.1"),
        ({"small_up_to": 1e-3, "large_from": 1e-2}, "No decoder is trained"),
        ({"classifier": []}, "classifier is an empty list"),
    ],
)
def test_bad_options(
    tiny_classifier: nn.Module, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        create_defense("advfilter", **{"classifier": tiny_classifier, **options})
