"""Each architecture with others' published weights gives what was published with them."""

from __future__ import annotations

import pytest
import torch
from published import FILES, SIGMA, load_published, published_state

from robust_restoration.images.files import read_image
from robust_restoration.images.metrics import psnr

# PSNR in dB that a 128x128 part of the fourth image must come to at least; it begins at 20.4 and
# 20.3, and with a layer or an order wrong the rest is lost.
LEAST = {1: 28.0, 3: 32.5}


def images_of(data_root, published):
    """The images (1, C, H, W) that the stated PSNR is an average over."""
    folder = data_root / published.data
    if not folder.is_dir():
        pytest.skip(f"no {published.data} at {data_root}")
    images = [read_image(file)[None] for file in sorted(folder.glob("*.png"))[: published.first]]
    return [x for x in images if published.size in (None, x.shape[-1])]


def restored_psnr(model, clean, published):
    """With the noise that the stated figures were measured with."""
    model = model.to(memory_format=torch.channels_last)  # a third less time
    with torch.inference_mode():
        noisy = clean + SIGMA * published.noise(clean.shape)
        restored = model(noisy, SIGMA) if published.told_sigma else model(noisy)
    return float(psnr(restored, clean))


@pytest.mark.parametrize("name", FILES)
def test_loads_whole_and_strictly(weights_root, name):
    state = published_state(weights_root, name)
    model = load_published(weights_root, name)
    assert model.state_dict().keys() == state.keys()
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key]), key


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_restores_a_part_of_an_image(weights_root, data_root, name):
    model = load_published(weights_root, name)
    clean = images_of(data_root, FILES[name])[3][..., 64:192, 64:192]
    assert restored_psnr(model, clean, FILES[name]) > LEAST[clean.shape[1]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        # A small network stands for the rest, of which parts of an image are restored above.
        name if name == "ffdnet_gray" else pytest.param(name, marks=pytest.mark.exhaustive)
        for name in FILES
        if FILES[name].psnr is not None
    ],
)
def test_reaches_the_stated_psnr(weights_root, data_root, name):
    model, published = load_published(weights_root, name), FILES[name]
    values = [
        restored_psnr(model, clean, published)
        for clean in images_of(data_root, published)
    ]
    assert sum(values) / len(values) == pytest.approx(published.psnr, abs=0.03)
