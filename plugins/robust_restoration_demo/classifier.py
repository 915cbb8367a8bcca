"""The classifier of the demonstration, which comes trained: training it shows nothing new.

``python -m robust_restoration_demo.classifier`` makes its weights again, in half a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn

import robust_restoration as rr
from robust_restoration.files import write_json

from .digits import SIDE, load_digits_32

WEIGHTS = Path(__file__).with_name("digits_classifier.safetensors")
TRAINING: dict[str, Any] = {"steps": 250, "batch_size": 64, "lr": 3e-3, "seed": 0}


def load_classifier() -> nn.Module:
    """The smallest EfficientNet of timm, trained on the digits that are not tested on."""
    model = _network()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()


def _network() -> nn.Module:
    made: Any = timm.create_model("test_efficientnet", in_chans=1, num_classes=10)
    made.pretrained_cfg["tag"] = "digits"  # whose weights it has, where it is named
    model: nn.Module = made
    return model


class _LabelledSet:
    """Labelled images, shifted by up to two pixels, as batches to train on."""

    def __init__(self, data: rr.LabelledImages) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> rr.Batch:
        images = F.pad(self.data.pixels(indices), (2, 2, 2, 2))
        top, left = torch.randint(0, 5, (2,), generator=generator).tolist()
        window = images[..., top : top + SIDE, left : left + SIDE]
        return {"images": window, "label": self.data.labels[indices]}


class _CrossEntropy(rr.Defense):
    """No defense at all: the classifier's plain training."""

    def loss(
        self, model: nn.Module, batch: rr.Batch, step: rr.Step
    ) -> tuple[Tensor, dict[str, float]]:
        return F.cross_entropy(model(batch["images"]), batch["label"]), {}


def fit_classifier(data: rr.LabelledImages) -> nn.Module:
    """Train the classifier from scratch, as `TRAINING` says.

    Args:
        data: (N, 1, 32, 32) images of ten classes.
    """
    with torch.random.fork_rng():
        torch.manual_seed(TRAINING["seed"])
        model = _network()
    rr.train(rr.NormalizedClassifier(model), _CrossEntropy(), _LabelledSet(data),
             betas=(0.9, 0.999), **TRAINING)
    return model.eval()


def write_card(model: nn.Module, training: rr.LabelledImages, test: rr.LabelledImages) -> None:
    """Say beside the weights how they came about, and what they know."""
    with torch.inference_mode():
        answers = rr.NormalizedClassifier(model)(test.pixels(slice(None))).argmax(1)
    write_json(WEIGHTS.with_suffix(".json"), {
        "architecture": "timm test_efficientnet, one channel, ten classes",
        "data": f"scikit-learn's digits at 32x32: {len(training)} to learn, {len(test)} to test",
        "training": {"loss": "cross entropy", **TRAINING,
                     "command": "python -m robust_restoration_demo.classifier"},
        "accuracy": round(float((answers == test.labels).float().mean()), 4),
    })


if __name__ == "__main__":
    learnt, kept = load_digits_32()
    network = fit_classifier(learnt)
    state = network.state_dict()
    save_file({name: values.contiguous() for name, values in state.items()}, WEIGHTS)
    write_card(network, learnt, kept)
