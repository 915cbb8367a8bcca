"""Attacked images and their cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import robust_restoration_advfilter.pairs as pairs_module
import torch
from robust_restoration_advfilter.pairs import STRENGTHS, make_pairs
from torch import nn

from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError


@pytest.fixture
def data() -> LabelledImages:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (25, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return LabelledImages(images, torch.arange(25) % 10, name="made up")


def quick(classifier: nn.Module, data: LabelledImages, cache: Path, **options: object) -> object:
    defaults = {"per_image": 3, "steps": 2, "cache": cache, "progress": False, "batch_size": 8}
    return make_pairs(classifier, data, **{**defaults, **options})  # type: ignore[arg-type]


def test_the_papers_strengths() -> None:
    assert len(STRENGTHS) == 12
    assert STRENGTHS[0] == 1e-4
    assert STRENGTHS[-1] == 5e-1


@pytest.mark.parametrize("per_image", [1, 2, 3, 5, 12])
def test_plan_spreads_and_balances(per_image: int) -> None:
    plan = pairs_module._plan(120, STRENGTHS, per_image)
    assert plan.shape == (120, per_image)
    assert all(len(set(row)) == per_image for row in plan.tolist())
    counts = torch.stack([(plan == torch.tensor(s)).sum() for s in STRENGTHS])
    assert int(counts.max() - counts.min()) <= per_image
    if per_image == 3:  # one small, one middle, one large
        places = torch.tensor([[STRENGTHS.index(v) if v in STRENGTHS else
                                min(range(12), key=lambda i: abs(STRENGTHS[i] - v))
                                for v in row] for row in plan.tolist()])
        gaps = (places.roll(-1, 1) - places) % 12
        assert (gaps == 4).all()


def test_perturbations_keep_to_their_strength(
    tiny_classifier: nn.Module, data: LabelledImages, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, data, tmp_path)
    largest = pairs.perturbations.float().abs().amax(dim=(2, 3, 4))
    assert (largest <= pairs.strengths * 1.001).all()
    assert (largest > 0.1 * pairs.strengths).all()
    attacked = data.pixels(slice(None))[:, None] + pairs.perturbations.float()
    assert -1e-3 < float(attacked.min()) < float(attacked.max()) < 1 + 1e-3


def test_cache_is_read_and_keyed(
    tiny_classifier: nn.Module,
    data: LabelledImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = quick(tiny_classifier, data, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(pairs_module, "_attack_shard", lambda *_: pytest.fail("made again"))
        again = quick(tiny_classifier, data, tmp_path)
    assert torch.equal(first.perturbations, again.perturbations)
    assert len(list(tmp_path.iterdir())) == 1
    quick(tiny_classifier, data, tmp_path, steps=3)
    quick(tiny_classifier, data.subset(slice(0, 20)), tmp_path)
    with torch.no_grad():
        next(tiny_classifier.parameters()).add_(0.01)
    quick(tiny_classifier, data, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_interruption_keeps_finished_shards(
    tiny_classifier: nn.Module,
    data: LabelledImages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs_module, "SHARD", 10)
    whole = quick(tiny_classifier, data, tmp_path / "whole")
    made: list[int] = []
    original = pairs_module._attack_shard

    def stops(classifier: nn.Module, part: LabelledImages, *rest: object) -> object:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(len(part))
        return original(classifier, part, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(pairs_module, "_attack_shard", stops)
        with pytest.raises(KeyboardInterrupt):
            quick(tiny_classifier, data, tmp_path / "cut")
    folder = next((tmp_path / "cut").iterdir())
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["000000.safetensors", "000010.safetensors", "pairs.json"]
    made.clear()
    monkeypatch.setattr(
        pairs_module, "_attack_shard",
        lambda c, part, *rest: made.append(len(part)) or original(c, part, *rest),
    )
    resumed = quick(tiny_classifier, data, tmp_path / "cut")
    assert made == [5]
    assert torch.equal(resumed.perturbations, whole.perturbations)


def test_damaged_shard_is_named(
    tiny_classifier: nn.Module, data: LabelledImages, tmp_path: Path
) -> None:
    quick(tiny_classifier, data, tmp_path)
    shard = next(tmp_path.glob("*/*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(InputError, match=r"000000\.safetensors is damaged.*remove it"):
        quick(tiny_classifier, data, tmp_path)


def test_batches_depend_on_the_generator_alone(
    tiny_classifier: nn.Module, data: LabelledImages, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, data, tmp_path)
    pairs.clean_share = 0.3
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
    assert torch.equal(one["label"], data.labels)


def test_the_fusion_stage_sees_more_clean_images(
    tiny_classifier: nn.Module, data: LabelledImages, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, data, tmp_path)
    pairs.clean_share, pairs.fusion_clean_share = 0.0, 1.0
    indices = torch.arange(25)
    for stage, share in (("filters", 0.0), ("fusion", 1.0)):
        batch = pairs.batch(indices, torch.Generator().manual_seed(0), stage)
        assert float((batch["eps"] == 0).float().mean()) == share


def test_crops_are_of_both_images_alike(
    tiny_classifier: nn.Module, data: LabelledImages, tmp_path: Path
) -> None:
    pairs = quick(tiny_classifier, data, tmp_path)
    pairs.crop, pairs.flip = 20, True
    batch = pairs.batch(torch.arange(8), torch.Generator().manual_seed(0), "filters")
    assert batch["clean"].shape == batch["attacked"].shape == (8, 3, 20, 20)
    gap = (batch["attacked"] - batch["clean"]).abs().amax(dim=(1, 2, 3))
    assert (gap <= batch["eps"] * 1.001 + 1e-7).all()


def test_too_many_strengths_an_image(
    tiny_classifier: nn.Module, data: LabelledImages, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="expected at most"):
        quick(tiny_classifier, data, tmp_path, strengths=(0.1, 0.2), per_image=3)
