"""Denoisers trained for the classifiers behind them."""

import pytest
import torch
import torch.nn.functional as F
from robust_restoration_defenses.stability import Stability
from torch import nn

import robust_restoration as rr
from robust_restoration.contracts import Step
from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randint(0, 256, (12, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return LabelledImages(pixels, torch.arange(12) % 10, name="made")


class Perfect(nn.Module):
    """Gives the clean images, whatever comes."""

    def __init__(self, clean):
        super().__init__()
        self.clean = nn.Parameter(clean)

    def forward(self, noisy):
        return self.clean + 0 * noisy


def batch_of(defense, images):
    training, held = defense.prepare(images, val_fraction=0.25)
    assert (len(training), len(held)) == (9, 3)
    return training.batch(torch.arange(5), torch.Generator().manual_seed(0), "train")


def test_the_loss_is_zero_where_the_clean_image_comes_out(images, tiny_classifier):
    defense = Stability(classifier=tiny_classifier)
    batch = batch_of(defense, images)
    loss, figures = defense.loss(Perfect(batch["clean"]), batch, Step("train"))
    assert float(loss) == pytest.approx(0, abs=1e-5)
    assert figures["agreement"] == 1
    found = defense.validate(Perfect(batch["clean"]), batch, "train")
    assert found["agreement"] == 1
    assert found["psnr"] == 60


def test_the_loss_is_kl_and_squared_error(images, tiny_classifier):
    defense = Stability(classifier=tiny_classifier, sigma=0.5, mse=3.0)
    batch = batch_of(defense, images)
    assert float((batch["noisy"] - batch["clean"]).std()) == pytest.approx(0.5, rel=0.05)
    loss, _ = defense.loss(nn.Identity(), batch, Step("train"))
    whole = rr.NormalizedClassifier(tiny_classifier)
    with torch.no_grad():
        p = whole(batch["clean"]).softmax(1)
        q = whole(batch["noisy"].clamp(0, 1)).softmax(1)
    expected = (p * (p.log() - q.log())).sum(1).mean()
    expected = expected + 3 * F.mse_loss(batch["noisy"], batch["clean"])
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_the_classifiers_are_copied_and_stay_as_they_are(images, tiny_classifier):
    before = [p.clone() for p in tiny_classifier.state_dict().values()]
    tiny_classifier.train()
    defense = Stability(classifier=[tiny_classifier, tiny_classifier], shift=2, mirror=True)
    denoiser = rr.create_denoiser("dncnn_test", channels=3)
    rr.train(denoiser, defense, images, steps=2, batch_size=4, progress=False)
    assert tiny_classifier.training
    assert all(p.requires_grad for p in tiny_classifier.parameters())
    assert all(map(torch.equal, before, tiny_classifier.state_dict().values()))


def test_training_makes_predictions_agree(images, tiny_classifier):
    torch.manual_seed(0)
    denoiser = nn.Conv2d(3, 3, 3, padding=1)
    defense = Stability(classifier=tiny_classifier, sigma=0.3, mse=0.0)
    batch = batch_of(defense, images)
    optimizer = torch.optim.Adam(denoiser.parameters(), 0.02)
    losses = []
    for _ in range(30):
        loss, _ = defense.loss(denoiser, batch, Step("train"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]


def test_images_without_labels_are_cut_to_the_classifier_s_size(images, tiny_classifier):
    photographs = [torch.rand(3, 48, 40), torch.rand(3, 64, 64)]
    tiny_classifier.pretrained_cfg = {**tiny_classifier.pretrained_cfg, "input_size": (3, 32, 32)}
    defense = Stability(classifier=tiny_classifier, sigma=0.5, clip=(0, 1))
    training, _ = defense.prepare(photographs, val_fraction=0.0)
    for given in (training, defense.prepare(images, val_fraction=0.0)[0]):
        batch = given.batch(torch.arange(2), torch.Generator().manual_seed(0), "train")
        assert batch["clean"].shape == (2, 3, 32, 32)
        assert batch["noisy"].min() == 0  # clipped, labelled or not


def test_each_step_draws_a_classifier(images):
    class Says(nn.Module):
        unit_range = True
        calls = 0

        def forward(self, x):
            type(self).calls += 1
            return x.mean(dim=(2, 3))

    class SaysToo(Says):
        calls = 0

    defense = Stability(classifier=[Says(), SaysToo()])
    batch = batch_of(defense, images)
    for number in range(20):
        step = Step("train", generator=torch.Generator().manual_seed(number))
        defense.loss(nn.Identity(), batch, step)
    assert Says.calls + SaysToo.calls == 40
    assert min(Says.calls, SaysToo.calls) >= 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classifier": []}, "or several"),
        ({"classifier": ["resnet18"]}, "or several"),
        ({"mse": -1}, "mse is -1"),
        ({"shift": -1}, "shift is -1"),
        ({"sigma": -0.1}, "sigma"),
    ],
)
def test_bad_options(options, message, tiny_classifier):
    with pytest.raises(InputError, match=message):
        Stability(**{"classifier": tiny_classifier, **options})
