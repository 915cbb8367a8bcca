"""Weights: found, checked, never unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError, WeightsError
from robust_restoration.models.shipped import find_weights, model_card, shipped
from robust_restoration.models.weights import (
    CHECKSUM,
    checksum,
    load_weights,
    read_weights,
    save_weights,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    model = rr.create_purifier("additive", width=0.05, channels=1)
    save_weights(model, path, kind="purifiers", name="additive", card={"note": "made here"})
    return path


def test_the_file_alone_makes_the_network(saved: Path) -> None:
    model = rr.create_purifier("additive", weights=str(saved))
    assert (model.options["width"], model.channels) == (0.05, 1)
    assert not model.training
    assert model_card(saved) == {"note": "made here"}


def test_a_family_takes_its_members_weights(tmp_path: Path) -> None:
    denoiser = rr.create_denoiser("dncnn_test").eval()
    path = tmp_path / "d.safetensors"
    save_weights(denoiser, path, kind="denoisers", name="dncnn_test")
    purifier = rr.create_purifier("denoiser:dncnn_test", weights=str(path))
    images = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(purifier(images), denoiser(images).clamp(0, 1))
    with pytest.raises(WeightsError, match=r"comes without weights\. Give weights=FILE"):
        rr.PurifiedClassifier(nn.Flatten(), "denoiser:dncnn_test")


def test_half_precision_on_disk(tmp_path: Path) -> None:
    model = rr.create_purifier("filtering", width=0.05)
    path = tmp_path / "half.safetensors"
    save_weights(model, path, kind="purifiers", name="filtering", half=True)
    tensors, metadata = read_weights(path)
    assert {t.dtype for t in tensors.values()} == {torch.float16}
    assert metadata["entry"] == "filtering"
    back = rr.create_purifier("filtering", weights=str(path))
    for a, b in zip(model.parameters(), back.parameters(), strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_truncated(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="truncated, damaged or not a safetensors"):
        rr.create_purifier("additive", weights=str(saved))


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_pickles_are_refused_unopened(
    tmp_path: Path, writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pt"
    if writer == "torch":
        torch.save({"a": _Bomb()}, path)
    else:
        path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(WeightsError, match="pickled checkpoint, which is never loaded"):
        rr.create_purifier("additive", weights=str(path))
    assert not (tmp_path / "exploded").exists()


def test_another_architecture_changes_nothing(saved: Path) -> None:
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    with pytest.raises(WeightsError, match="does not fit Linear: 2 tensors are missing"):
        load_weights(model, saved)
    assert torch.equal(model.weight, before)


def test_other_shapes_are_named(saved: Path) -> None:
    with pytest.raises(WeightsError, match=r"have another shape \(net\..* is .*, expected"):
        rr.create_purifier("additive", weights=str(saved), width=0.2)


def test_missing_file_tag_and_suffix(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no file of weights"):
        rr.create_purifier("additive", weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(WeightsError, match=r"has no weights 'genral'.*'general'"):
        find_weights("purifiers", "advfilter", "genral")
    with pytest.raises(WeightsError, match="weights is an int; expected a tag"):
        find_weights("purifiers", "advfilter", 5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"written as \.safetensors"):
        save_weights(nn.Linear(1, 1), tmp_path / "a.pt", kind="purifiers", name="additive")


def test_hub_repository(monkeypatch: pytest.MonkeyPatch, saved: Path) -> None:
    import huggingface_hub

    asked: list[tuple[str, str]] = []

    def download(repo: str, file: str) -> str:
        asked.append((repo, file))
        if repo == "someone/gone":
            raise OSError("404\nmore")
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    rr.create_purifier("additive", weights="someone/purifier")
    assert asked == [("someone/purifier", "model.safetensors")]
    with pytest.raises(WeightsError, match=r"'someone/gone' could not be had: 404$"):
        rr.create_purifier("additive", weights="someone/gone")


def test_shipped_weights_load_offline_and_have_cards() -> None:
    tags = shipped("purifiers", "advfilter")
    assert "general" in tags
    for name in ("advfilter", "filtering", "additive"):
        for tag, path in shipped("purifiers", name).items():
            assert path.stat().st_size <= 4_000_000
            model = rr.create_purifier(name, weights=tag)
            assert all(torch.isfinite(p).all() for p in model.parameters())
            card = model_card(path)
            expected = {"entry", "options", "classifier", "data", "training", "budget"}
            assert expected | {"environment", "numbers"} <= set(card)
            assert card["options"] == model.options


def test_one_bit_that_flips_is_noticed(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-3] ^= 1  # the last bit of some weight
    saved.write_bytes(content)
    with pytest.raises(WeightsError, match="checksum does not fit"):
        rr.create_purifier("additive", weights=str(saved))


def test_shipped_weights_have_a_checksum() -> None:
    files = sorted((Path(__file__).parents[2] / "plugins").glob("*/weights/*.safetensors"))
    assert files
    for file in files:
        tensors, header = read_weights(file)
        assert header.get(CHECKSUM) == checksum(tensors, header), file.name
