"""Networks that view features as rows, ``x.view(len(x), -1)``, which channels_last forbids."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.contracts import Batch, Defense, Step


class LeNet(nn.Module):
    """As many a classifier of one's own: three channels, features of 3x3, no size declared."""

    def __init__(self, *, view: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 4, 5, stride=3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1),
            nn.Conv2d(4, 8, 3, stride=3), nn.BatchNorm2d(8), nn.ReLU(),
        )
        self.last = nn.Linear(8 * 9, 10)
        self.rows = "view" if view else "reshape"

    def forward(self, images: Tensor) -> Tensor:
        features = self.convolutions(8 * images - 4)
        rows: Tensor = getattr(features, self.rows)(len(images), -1)
        return self.last(rows)


class Rows(nn.Module):
    """A denoiser that views its images as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - 0.1 * self.first(noisy).view(len(noisy), -1).view(noisy.shape)


@pytest.fixture
def data(photographs: Tensor) -> rr.LabelledImages:
    images = (torch.cat([photographs, photographs.flip(-1)]) * 255).byte()
    return rr.LabelledImages(images, torch.arange(8), name="photographs")


@pytest.mark.parametrize("through", ["bare", "whole", "surrogate"])
def test_evaluated_as_one_that_takes_any(through: str, data: rr.LabelledImages) -> None:
    def table(view: bool) -> list[rr.Record]:
        model = LeNet(view=view)
        threat: Any = rr.Threat(
            "torchattacks/fgsm", through=model if through == "surrogate" else through
        )
        victim = LeNet(view=False) if through == "surrogate" else model
        return rr.evaluate(
            victim, data, threats={"fgsm": threat}, eps=0.05, purifiers=["median"],
            progress=False, checks=False,
        ).records

    told = [[r.value for r in table(view)] for view in (True, False)]
    assert told[0] == pytest.approx(told[1], abs=1e-5)


class Plain(Defense):
    """Cross-entropy of the model as it trains, whose batch norm comes before it views."""

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"]), {}


class Eight:
    """Eight images of noise."""

    def __len__(self) -> int:
        return 8

    def batch(self, indices: Tensor, generator: torch.Generator, stage: str) -> Batch:
        images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        return {"x": images[indices], "y": indices}


def test_statistics_of_the_step_that_is_made_again_are_counted_once() -> None:
    options = {"steps": 3, "batch_size": 4, "progress": False}
    model = rr.train(LeNet(), Plain(), Eight(), **options)
    other = rr.train(LeNet(), Plain(), Eight(), channels_last=False, **options)
    for name, value in other.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def train(defense: str, model: nn.Module, data: Any, **options: Any) -> nn.Module:
    settings = {"channels_last": options.pop("channels_last", True)}
    return rr.train(
        model, rr.create_defense(defense, **options), data, steps=4, batch_size=4, ema=0.9,
        validate_every=2, progress=False, val_fraction=0.25, **settings,
    )


@pytest.mark.parametrize("defense", ["trades", "joint", "adversarial_purifier"])
def test_trained_as_without_channels_last(defense: str, data: rr.LabelledImages) -> None:
    def trained(channels_last: bool) -> nn.Module:
        if defense != "adversarial_purifier":
            return train(defense, LeNet(), data, channels_last=channels_last)
        torch.manual_seed(1)
        purifier = rr.create_purifier("resunet", widths=(4, 4, 4), blocks=(1, 1, 1), stem=4)
        return train(
            defense, purifier, data, classifier=LeNet(), feature_share=0.5, classes=10,
            channels_last=channels_last,
        )

    model, other = trained(True), trained(False)
    for name, value in other.state_dict().items():
        assert torch.allclose(model.state_dict()[name], value, atol=1e-5), name
    assert all(p.is_contiguous() for p in model.parameters())


def test_given_up_in_the_midst_of_a_training(photographs: Tensor) -> None:
    """Each step draws one of the classifiers; the second takes no channels_last."""
    def trained(channels_last: bool) -> nn.Module:
        torch.manual_seed(1)
        denoiser = rr.create_denoiser("dncnn_c", features=4, depth=3)
        return train(
            "stability", denoiser, photographs, classifier=[LeNet(view=False), LeNet()],
            patch=32, channels_last=channels_last,
        )

    for one, other in zip(trained(True).parameters(), trained(False).parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_denoiser_too(photographs: Tensor) -> None:
    model = train("standard", Rows(), photographs, sigma=0.1, patch=16)
    assert all(p.is_contiguous() for p in model.parameters())


def test_a_trained_model_comes_back_in_its_own_format(data: rr.LabelledImages) -> None:
    model = train("madry", LeNet(view=False), data)
    assert all(p.is_contiguous() for p in model.parameters())
    model = LeNet(view=False).to(memory_format=torch.channels_last)
    train("madry", model, data)
    assert not model.convolutions[0].weight.is_contiguous()


def test_certified_as_one_that_takes_any(images: Tensor) -> None:
    told = [
        rr.certify(LeNet(view=view), images, sigma=0.1, denoiser=Rows(), n0=20, n=50, alpha=0.1)
        for view in (True, False)
    ]
    assert torch.equal(told[0].prediction, told[1].prediction)
    assert torch.equal(told[0].radius, told[1].radius)
