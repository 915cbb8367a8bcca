"""Loading denoisers: a name with its weights, or with the usual ones, and functions."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import robust_restoration as rr
from robust_restoration import verbs
from robust_restoration.models.shipped import WeightsWarning


def test_a_name_comes_with_its_usual_weights() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = verbs.load_denoiser("dncnn_c")
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        same = torch.equal(loaded(image), verbs.load_denoiser("dncnn_c=nt")(image))
    assert same
    assert not loaded.training


def test_a_name_without_weights_is_untrained_and_told_so() -> None:
    with pytest.warns(WeightsWarning, match="no usual weights and is untrained; give dncnn=FILE"):
        assert not verbs.load_denoiser("dncnn").training


def test_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_denoisers.py").write_text("from torch import nn\nit = nn.Identity\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert isinstance(verbs.load_denoiser("my_denoisers:it"), nn.Identity)
    with pytest.raises(rr.InputError, match="does not import as a function"):
        verbs.load_denoiser("my_denoisers:other")
