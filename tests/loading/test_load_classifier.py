"""Loading classifiers: names of timm, folders, files of weights, and functions."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from robust_restoration import NormalizedClassifier, load_classifier
from robust_restoration.errors import InputError, WeightsError


def test_architecture_and_file(tmp_path: Path) -> None:
    model = timm.create_model("test_resnet").eval()
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    loaded = load_classifier(f"test_resnet:{tmp_path / 'w.safetensors'}")
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(loaded(x), model(x))
    assert not loaded.training
    with pytest.raises(InputError, match="no architecture 'test_resnt'"):
        load_classifier(f"test_resnt:{tmp_path / 'w.safetensors'}")
    with pytest.raises(WeightsError, match="does not fit"):
        load_classifier(f"test_efficientnet:{tmp_path / 'w.safetensors'}")


def test_a_folder_that_timm_saved(tmp_path: Path) -> None:
    from timm.models import save_for_hf

    model = timm.create_model("test_resnet", num_classes=7).eval()
    save_for_hf(model, str(tmp_path / "saved"), safe_serialization=True)
    loaded = load_classifier(str(tmp_path / "saved"))
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(loaded(x), model(x))
    assert loaded.pretrained_cfg["num_classes"] == 7
    (tmp_path / "saved/model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no model\.safetensors"):
        load_classifier(str(tmp_path / "saved"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"has no config\.json"):
        load_classifier(str(tmp_path / "empty"))


def test_a_timm_name_may_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = timm.create_model("test_resnet").eval()
    save_file(model.state_dict(), "w.safetensors")
    assert load_classifier("timm:test_resnet:w.safetensors").num_classes == model.num_classes
    Path("resnet188").mkdir()
    with pytest.raises(InputError, match="Did you mean 'resnet18'"):
        load_classifier("timm:resnet188")


def test_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_nets.py").write_text("import torch\ndef net(): return torch.nn.Linear(2, 3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(load_classifier("my_nets:net"), nn.Linear)
    with pytest.raises(InputError, match="does not import as a function"):
        load_classifier("my_nets:other")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("resnet188", "Did you mean 'resnet18'"), ("w.pth", "write which architecture")],
)
def test_bad_names(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_classifier(name)


@pytest.mark.parametrize(
    ("function", "folder", "least"),
    [("resnet20_cifar10", "cifar10_subset/test.npz", 0.9),
     ("mobilenetv1_075", "neurips2017_dev_110", 0.65)],
)
@pytest.mark.slow
def test_published_classifiers_of_the_benchmarks(
    repository: Path, data_root: Path, weights_root: Path, monkeypatch: pytest.MonkeyPatch,
    function: str, folder: str, least: float,
) -> None:
    from robust_restoration.data import load_labelled

    monkeypatch.setenv("ROBUST_RESTORATION_WEIGHTS", str(weights_root))
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    model = NormalizedClassifier(load_classifier(f"classifiers:{function}"))
    size = 224 if "224" in str(model.classifier.pretrained_cfg["input_size"]) else None
    data = load_labelled(data_root / folder, size=size, limit=40)
    with torch.no_grad():
        right = model(data.pixels(slice(None))).argmax(1) == data.labels
    assert float(right.float().mean()) >= least


def test_a_name_that_only_weights_have_is_explained() -> None:
    with pytest.raises(InputError, match="Weights of purifiers are filed under 'resnet20_cifar10'"):
        load_classifier("resnet20_cifar10")


def test_somebodys_function_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zz_nets.py").write_text("def bad(): return 1 / 0\ndef five(): return 5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"ZeroDivisionError: division by zero"):
        load_classifier("zz_nets:bad")
    with pytest.raises(InputError, match="of type int; expected a function"):
        load_classifier("zz_nets:five")
