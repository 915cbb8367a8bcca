"""Attacked images of several classifiers, and their cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import robust_restoration_advfilter.pairs as pairs_module
import torch
from robust_restoration_advfilter.augmentation import photographic
from robust_restoration_advfilter.pairs import (
    ATTACKS,
    PAPER_EPSILONS,
    AdversarialPairs,
    attack_of_strength,
    make_pairs,
)
from torch import Tensor, nn

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import NormalizedClassifier


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (25, 3, 32, 32), generator=generator, dtype=torch.uint8)


@pytest.fixture
def other_classifier() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 10)).eval()


def quick(classifiers: Any, data: Any, cache: Path, **options: Any) -> AdversarialPairs:
    return make_pairs(
        classifiers, data, **{"steps": 2, "cache": cache, "progress": False, **options}
    )


def test_the_papers_epsilons() -> None:
    assert len(PAPER_EPSILONS) == 12
    assert PAPER_EPSILONS[0] == 1e-4
    assert PAPER_EPSILONS[-1] == 5e-1


def test_every_classifier_attacks_every_image(
    tiny_classifier: nn.Module, other_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    pairs = quick([tiny_classifier, other_classifier], images, tmp_path, per_image=2)
    assert len(pairs) == 100
    assert pairs.classifiers.bincount().tolist() == [50, 50]
    for number in (0, 1):
        mine = pairs.images[pairs.classifiers == number]
        assert mine.bincount().tolist() == [2] * 25
    assert torch.equal(pairs.clean[:], images[pairs.images])
    assert (pairs.perturbations[:].flatten(1).float().abs().amax(dim=1) > 0).all()


def test_expects_what_the_attacked_classifier_says(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, images, tmp_path)
    clean = pairs.clean[:].float() / 255
    expected = NormalizedClassifier(tiny_classifier)(clean).log_softmax(dim=1)
    torch.testing.assert_close(pairs.log_probabilities[:], expected)


@pytest.mark.parametrize("name", ATTACKS)
def test_strength_of_every_attack(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path, name: str
) -> None:
    """At most eps a value; in L2 at most eps in the root mean square."""
    pairs = quick(tiny_classifier, images, tmp_path, attacks=[name], epsilons=(3e-3, 3e-2))
    change = pairs.perturbations[:].float().flatten(1)
    size = change.square().mean(dim=1).sqrt() if name.endswith("l2") else change.abs().amax(dim=1)
    assert torch.isin(pairs.epsilons, torch.tensor([3e-3, 3e-2])).all()
    assert (size <= pairs.epsilons * 1.001).all()
    assert (size > 0.3 * pairs.epsilons).all()
    attacked = pairs.clean[:].float() / 255 + pairs.perturbations[:].float()
    assert -1e-3 < float(attacked.min()) < float(attacked.max()) < 1 + 1e-3


def test_l2_of_a_channels_last_classifier(tiny_classifier: nn.Module, images: Tensor) -> None:
    classifier = tiny_classifier.to(memory_format=torch.channels_last)
    attack = attack_of_strength("torchattacks/pgdl2", classifier, 0.01, 2)
    found = attack(images[:2].float() / 255, torch.tensor([0, 1]))
    assert found.shape == (2, 3, 32, 32)


@pytest.mark.slow
def test_attacks_are_drawn_as_often_as_said(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    original = pairs_module.attack_of_strength
    monkeypatch.setattr(
        pairs_module, "attack_of_strength",
        lambda name, *rest: drawn.append(name) or original(name, *rest),
    )
    monkeypatch.setattr(pairs_module, "IMAGES_TOGETHER", 1)
    weights = {"torchattacks/fgsm": 9.0, "torchattacks/pgd": 1.0}
    quick(tiny_classifier, images, tmp_path, attacks=weights, per_image=8, steps=1)
    assert len(drawn) == 200
    assert 160 <= drawn.count("torchattacks/fgsm") < 200


def test_sets_are_counted_through_and_labels_not_used(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    labelled = LabelledImages(images[:10], torch.zeros(10, dtype=torch.long))
    relabelled = LabelledImages(images[:10], torch.ones(10, dtype=torch.long))
    one = quick(tiny_classifier, [labelled, images[10:].float() / 255], tmp_path)
    two = quick(tiny_classifier, [relabelled, images[10:]], tmp_path)
    assert torch.equal(one.images, torch.arange(25))
    assert torch.equal(one.perturbations[:], two.perturbations[:])
    assert len(list(tmp_path.iterdir())) == 2  # one a set: both calls read the same


def test_sets_of_other_sizes_come_to_one_by_augmentation(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    larger = torch.nn.functional.pad(images[:5], (0, 8, 0, 8))
    pairs = quick(tiny_classifier, [images, larger], tmp_path, augment=photographic(32))
    assert pairs.clean[:].shape == (30, 3, 32, 32)
    assert not torch.equal(pairs.clean[:25], images)


def test_cache_is_read_and_keyed(
    tiny_classifier: nn.Module,
    other_classifier: nn.Module,
    images: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = quick([tiny_classifier, other_classifier], images, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(pairs_module, "_attacked", lambda *_: pytest.fail("made again"))
        again = quick([tiny_classifier, other_classifier], images, tmp_path)
        alone = quick(other_classifier, images, tmp_path)  # what a training without one shares
    assert torch.equal(first.perturbations[:], again.perturbations[:])
    assert torch.equal(first.perturbations[25:], alone.perturbations[:])
    assert len(list(tmp_path.iterdir())) == 2
    quick(tiny_classifier, images, tmp_path, steps=3)
    quick(tiny_classifier, images, tmp_path, augment=photographic(32))
    quick(tiny_classifier, images[:20], tmp_path)
    with torch.no_grad():
        next(tiny_classifier.parameters()).add_(0.01)
    quick(tiny_classifier, images, tmp_path)
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("size", ["PIXELS_TOGETHER", "IMAGES_TOGETHER", "SHARD"])
def test_a_cache_that_was_begun_with_other_sizes_is_not_gone_on_with(
    tiny_classifier: nn.Module,
    images: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
) -> None:
    """How many images are drawn for at once decides what is drawn."""
    begun = quick(tiny_classifier, images, tmp_path / "begun", steps=1)
    monkeypatch.setattr(pairs_module, size, 10 * 32**2 if size == "PIXELS_TOGETHER" else 10)
    found = quick(tiny_classifier, images, tmp_path / "begun", steps=1)
    fresh = quick(tiny_classifier, images, tmp_path / "fresh", steps=1)
    assert torch.equal(found.epsilons, fresh.epsilons)
    assert torch.equal(found.perturbations[:], fresh.perturbations[:])
    assert not torch.equal(found.perturbations[:], begun.perturbations[:])


def test_interruption_keeps_finished_shards(
    tiny_classifier: nn.Module,
    images: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs_module, "SHARD", 10)
    whole = quick(tiny_classifier, images, tmp_path / "whole")
    made: list[int] = []
    original = pairs_module._attacked

    def stops(classifier: nn.Module, part: Tensor, *rest: Any) -> Any:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(len(part))
        return original(classifier, part, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(pairs_module, "_attacked", stops)
        with pytest.raises(KeyboardInterrupt):
            quick(tiny_classifier, images, tmp_path / "cut")
    folder = next((tmp_path / "cut").iterdir())
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["000000.safetensors", "000010.safetensors", "pairs.json"]
    made.clear()
    monkeypatch.setattr(
        pairs_module, "_attacked",
        lambda c, part, *rest: made.append(len(part)) or original(c, part, *rest),
    )
    resumed = quick(tiny_classifier, images, tmp_path / "cut")
    assert made == [5]
    assert torch.equal(resumed.perturbations[:], whole.perturbations[:])


def test_damaged_shard_is_named(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    quick(tiny_classifier, images, tmp_path)
    shard = next(tmp_path.glob("*/*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(InputError, match=r"000000\.safetensors is damaged.*remove it"):
        quick(tiny_classifier, images, tmp_path)


def test_no_image_is_on_both_sides_of_a_split(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, images, tmp_path, per_image=3)
    rest, held = pairs.split(torch.tensor([3, 7]))
    assert len(rest) == 69
    assert len(held) == 6
    assert set(held.images.tolist()) == {3, 7}
    assert not {3, 7} & set(rest.images.tolist())


def test_other_pairs_have_another_fingerprint(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, images, tmp_path)
    mark = pairs.fingerprint()
    assert pairs.subset(torch.arange(len(pairs))).fingerprint() == mark
    assert pairs.subset(torch.arange(len(pairs) - 1)).fingerprint() != mark
    assert quick(tiny_classifier, images, tmp_path).fingerprint() == mark
    other = quick(tiny_classifier, images, tmp_path, seed=1)
    assert len(other) == len(pairs)
    assert other.fingerprint() != mark


def test_batches_depend_on_the_generator_alone(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, images, tmp_path, attacks=["torchattacks/pgd"])
    indices = torch.arange(25)
    one, two, other = (
        pairs.batch(indices, torch.Generator().manual_seed(s), "filters") for s in (1, 1, 2)
    )
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["attacked"], other["attacked"])
    gap = (one["attacked"] - one["clean"]).abs().amax(dim=(1, 2, 3))
    assert (gap <= one["eps"] * 1.001 + 1e-7).all()
    assert ((one["eps"] == 0) == (gap == 0)).all()
    assert (one["eps"] == 0).any()


def test_the_fusion_stage_sees_more_clean_images(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, images, tmp_path)
    pairs.clean_share, pairs.fusion_clean_share = 0.0, 1.0
    for stage, share in (("filters", 0.0), ("fusion", 1.0)):
        batch = pairs.batch(torch.arange(25), torch.Generator().manual_seed(0), stage)
        assert float((batch["eps"] == 0).float().mean()) == share


@pytest.mark.parametrize(
    "wrong", [{"attacks": []}, {"epsilons": ()}, {"epsilons": (0.0, 0.1)}, {"per_image": 0}]
)
def test_nothing_to_draw_from(
    tiny_classifier: nn.Module, images: Tensor, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="expected at least one of each"):
        quick(tiny_classifier, images, tmp_path, **wrong)


def test_usual_attacks_on_gray_images(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(256, 10)).eval()
    gray = torch.randint(0, 256, (80, 1, 16, 16), dtype=torch.uint8)
    made = quick(classifier, gray, tmp_path)  # ten draws: of all six, one in ten is for colour only
    assert made.perturbations[:].shape == gray.shape
    with pytest.raises(InputError, match=r"1 channel\(s\); .* of 3 channels only"):
        quick(classifier, gray, tmp_path, attacks=["torchattacks/tifgsm"])


SHARED = """
import os, signal, sys
import torch
from torch import nn
import robust_restoration_advfilter.pairs as pairs
from robust_restoration.processes import Processes

out, dies = sys.argv[1], len(sys.argv) > 2
pairs.SHARD = 10
rank, made, attacked = Processes().rank, [], pairs._attacked
def spy(*given):
    if dies and rank == 1 and len(made) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(given[-1])
    return attacked(*given)
pairs._attacked = spy
images = torch.randint(0, 256, (45, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
classifiers = []
for seed in (1, 2):
    torch.manual_seed(seed)
    classifiers.append(nn.Sequential(nn.Flatten(), nn.Linear(192, 10)).eval())
found = pairs.make_pairs(classifiers, images, attacks=["torchattacks/pgd"], steps=2, cache=out,
                         progress=False)
with open(f"{out}.rank{rank}", "w") as file:
    file.write(f"{found.fingerprint()} {len(made)}")
"""


@pytest.mark.slow
def test_processes_share_the_shards_and_those_of_one_that_died_are_made_later(
    launch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "pairs.py"
    script.write_text(SHARED)

    def facts(out: str) -> list[list[str]]:
        return [p.read_text().split() for p in sorted(tmp_path.glob(f"{out}.rank*"))]

    for name in ("SHARD", "_attacked"):  # which the script changes
        monkeypatch.setattr(pairs_module, name, getattr(pairs_module, name))
    monkeypatch.setattr("sys.argv", ["pairs.py", str(tmp_path / "one")])
    exec(SHARED, {})
    ((fingerprint, count),) = facts("one")
    assert count == "10"  # two classifiers, five shards each
    with pytest.raises(AssertionError) as ended:
        launch(script, tmp_path / "two", "dies", processes=2)
    assert "Traceback" not in str(ended.value)  # it died as it was to die
    assert not facts("two")
    kept = len(list((tmp_path / "two").glob("*/[0-9]*.safetensors")))
    assert 0 < kept < 9
    launch(script, tmp_path / "two", processes=2)
    both = facts("two")
    assert [own[0] for own in both] == [fingerprint] * 2
    counts = [int(own[1]) for own in both]
    assert sum(counts) == 10 - kept
    assert max(counts) - min(counts) <= 1
