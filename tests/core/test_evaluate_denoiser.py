import csv
import json

import pytest
import torch
from PIL import Image
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import DataError, InputError
from robust_restoration.evaluation.controls import control


class Blur(nn.Module):
    """Averages 3x3: a denoiser with a gradient, without weights."""

    def forward(self, noisy):
        return nn.functional.avg_pool2d(noisy, 3, 1, 1, count_include_pad=False)


class Flat(nn.Module):
    """A denoiser that gives no gradient to hold on to."""

    def forward(self, noisy):
        return (noisy * 16).round() / 16


class Told(rr.Denoiser):
    blind = False

    def forward(self, noisy, sigma=None):
        return noisy + sigma * (Blur()(noisy) - noisy)


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(0)
    rows = [(20, 24), (20, 24), (17, 30), (20, 24), (17, 30)]
    return [
        nn.functional.interpolate(
            torch.rand(1, 1, 6, 6, generator=draw), size=size, mode="bicubic"
        )[0].clamp(0, 1)
        for size in rows
    ]


def table(denoiser, images, **options):
    return rr.evaluate(denoiser, images, progress=False, **options)


def test_rows_and_what_they_mean(images):
    result = table(Blur(), images, attacks=["obsatk", "denoising_pgd"])
    assert result.attacks() == ["obsatk", "denoising_pgd"]
    assert len(result.controls("obsatk")) == 3
    for name in result.conditions:
        assert {len(column) for column in result.values[name].values()} == {5}
    assert result.dmr("obsatk") < -0.5
    assert result.dmr("obsatk / random direction") > result.dmr("obsatk") / 2
    assert result.mean("obsatk", "size") == pytest.approx(5 / 255, rel=1e-3)
    direction = result.values["obsatk / random direction"]["size"]
    assert direction == pytest.approx(result.values["obsatk"]["size"], rel=1e-4)
    assert result.dmr("noisy") == 0


def test_figures_by_hand(images):
    result = table(Blur(), images, attacks=["obsatk"], seed=3)
    noise, blur = rr.Gaussian(25 / 255), Blur()
    for number, image in enumerate(images):
        noisy, _ = noise(image[None], seed=3, index=number)
        attacked = rr.create_attack("obsatk", blur)(noisy, image[None])
        for condition, what in (("noisy", noisy), ("obsatk", attacked)):
            expected = rr.psnr(blur(what), image[None]).item()
            assert result.values[condition]["psnr"][number] == pytest.approx(expected, abs=1e-4)


def test_energy_control_is_exactly_as_long(images):
    clean = torch.stack([images[0], images[1]])
    noisy, _ = rr.Gaussian(0.1)(clean, seed=0)
    attacked = noisy + 0.02
    found = control("same energy", None, noisy, attacked, clean, seed=0, index=[0, 1])
    length = (attacked - clean).flatten(1).norm(dim=1)
    assert torch.allclose((found - clean).flatten(1).norm(dim=1), length, rtol=1e-4)


def test_same_figures_in_any_batch_size(images):
    names = ["obsatk_auto", "denoising_pgd", ("l2_denoising_pgd", {"steps": 2})]
    one, many = (
        table(Blur(), images, attacks=names, batch_size=size, checks=False) for size in (1, 4)
    )
    for condition in one.conditions:
        assert one.values[condition]["psnr"] == pytest.approx(
            many.values[condition]["psnr"], abs=1e-3
        )


def test_within_level_keeps_the_sum_of_norms(images):
    result = table(
        Blur(), images, attacks=["obsatk"], sigma=25 / 255, eps=5 / 255, within_level=True
    )
    # The attacked images begin from less noise, so a control there beats the row "noisy".
    assert result.mean("obsatk / clamp only") > result.mean("noisy")


def test_a_denoiser_is_told_the_level(images):
    low, high = (table(Told(), images, attacks=[], sigma=s).mean("noisy") for s in (0.02, 0.1))
    assert low > high
    assert table(Told(), images, attacks=["obsatk"], sigma=0.1).dmr("obsatk") < 0


def test_other_noise_and_real_noise(images):
    poisson = table(Blur(), images, attacks=[], noise="poisson:30", sigma=None)
    assert poisson.settings["noise"] == "poisson:30"
    clean = [(i * 255).round().byte() for i in images]
    noisy = [(i.float() + 20 * torch.randn(i.shape)).clamp(0, 255).round().byte() for i in clean]
    pairs = rr.RestorationImages("pairs", clean, [str(i) for i in range(5)], noisy)
    real = table(Blur(), pairs, attacks=["obsatk"], sigma=None)
    expected = rr.psnr(Blur()(noisy[0][None] / 255), clean[0][None] / 255).item()
    assert real.values["noisy"]["psnr"][0] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(InputError, match="own noise"):
        table(Blur(), pairs, within_level=True)


def test_an_unknown_precision_is_refused(images):
    with pytest.raises(InputError, match="expected 'bf16', 'fp16' or None"):
        table(Blur(), images, attacks=[], autocast="bfloat16")
    table(Blur(), images, attacks=[], autocast="bf16")


def test_masked_gradients_are_noticed(images):
    notes = " ".join(table(Flat(), images, attacks=["obsatk"], eps=20 / 255).warnings())
    assert "the gradient is 0 at 3 of 3 images" in notes
    assert "more steps do not help" in notes
    assert "is not the attack's doing" in notes


def test_nothing_to_remark_on_a_plain_blur(images):
    assert table(Blur(), images, attacks=["obsatk_auto", "denoising_pgd"]).warnings() == []


def test_an_attack_that_is_energy_only_is_called_out(images):
    class Gaussian(rr.Attack):
        eps, bounds = 0.1, None

        def __init__(self, model):
            super().__init__("Gaussian", model)

        def forward(self, inputs, labels):
            return inputs + self.eps * torch.randn(inputs.shape)

    result = table(Blur(), images, attacks={"noise": Gaussian(Blur())}, seed=1)
    assert any("noise leaves" in w for w in result.warnings())


def test_exports(images, tmp_path):
    result = table(Blur(), images, attacks=["obsatk"], strips=tmp_path / "strips")
    result.to_json(tmp_path / "r.json")
    again = type(result).from_json(tmp_path / "r.json")
    assert again.to_dict() == result.to_dict()
    assert json.loads(result.to_json())["means"]["obsatk"]["psnr"] == result.mean("obsatk")
    result.to_csv(tmp_path / "r.csv")
    with (tmp_path / "r.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * len(result.conditions)
    assert float(rows[0]["psnr"]) == result.values["noisy"]["psnr"][0]
    frame = result.to_frame()
    assert frame[frame.condition == "obsatk"].psnr.mean() == pytest.approx(result.mean("obsatk"))
    assert f"| obsatk | {result.mean('obsatk'):.2f} |" in result.to_markdown()
    assert f"{result.mean('obsatk'):.2f}" in str(result)
    result.plot(tmp_path / "r.png")
    assert Image.open(tmp_path / "r.png").size[0] > 300
    strips = sorted((tmp_path / "strips").iterdir())
    assert len(strips) == 5
    assert Image.open(strips[0]).size == (7 * 24 + 6 * 4, 20 + 16)
    (tmp_path / "r.json").write_text("{")
    with pytest.raises(DataError, match="no result of an evaluation"):
        type(result).from_json(tmp_path / "r.json")


def test_large_images_are_tiled(monkeypatch):
    from robust_restoration.evaluation import denoising

    monkeypatch.setattr(denoising, "WHOLE", 40)
    draw = torch.Generator().manual_seed(0)
    image = [torch.rand(1, 70, 90, generator=draw)]
    tiled = table(Blur(), image, attacks=["obsatk"], tile=32)
    whole = table(Blur(), image, attacks=["obsatk"], tile=None)
    for name in whole.conditions:
        assert tiled.values[name]["psnr"] == pytest.approx(whole.values[name]["psnr"], abs=1e-3)


def test_one_damaged_image_is_named_and_skipped(images, tmp_path):
    for number, image in enumerate(images):
        rr.write_image(image, tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    result = table(Blur(), tmp_path, attacks=[])
    assert result.names == ["0", "1", "2", "4"]
    assert "3.png" in result.damaged[0]


class Cuts(nn.Module):
    def forward(self, noisy):
        return noisy[..., 1:]


class Nan(nn.Module):
    def forward(self, noisy):
        return noisy * float("nan")


@pytest.mark.parametrize(
    ("denoiser", "options", "sentence"),
    [
        (Cuts(), {}, "must keep the shape"),
        (Nan(), {}, "NaN or infinite"),
        (Told(), {"sigma": None, "noise": "poisson:30"}, "must be told the noise level"),
        (Blur(), {"sigma": None}, "give one of them"),
        (Blur(), {"attacks": "obsatk"}, "expected a list"),
        (Blur(), {"attacks": ["obsatk", "obsatk"]}, "would be called 'obsatk'"),
        (Blur(), {"attacks": ["obsatx"]}, "obsatk"),
        (Blur(), {"within_level": True, "sigma": 0.01}, "at least eps"),
    ],
)
def test_bad_input(denoiser, options, sentence, images):
    with pytest.raises(rr.RobustRestorationError, match=sentence):
        table(denoiser, images, **options)


def test_colour_for_gray(images):
    colour = [i.expand(3, -1, -1) for i in images]
    model = rr.create_denoiser("dncnn_test")
    assert table(model, colour, attacks=[]).names  # brought to the denoiser's channels
    with pytest.raises(InputError, match="expected 1"):
        table(model, colour, attacks=[], channels=3)


SCRIPT = """
import sys
import torch
from torch import nn
from accelerate import PartialState
import robust_restoration as rr

images = [
    nn.functional.interpolate(torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(i)),
                              size=size, mode="bilinear")[0]
    for i, size in enumerate([(20, 24), (17, 30), (20, 24), (20, 24), (17, 30)])
]
torch.manual_seed(0)
model = rr.create_denoiser("dncnn_test", batch_norm=False).eval()
result = rr.evaluate(model, images, attacks=["obsatk", "denoising_pgd"], progress=False, seed=1)
if PartialState().is_main_process:
    result.to_json(sys.argv[1])
"""


@pytest.mark.slow
def test_same_figures_in_two_processes(launch, tmp_path):
    script = tmp_path / "evaluate.py"
    script.write_text(SCRIPT)
    found = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.json"
        launch(script, out, processes=processes)
        found.append(json.loads(out.read_text()))
    for condition, metrics in found[0]["values"].items():
        for name, values in metrics.items():
            assert found[1]["values"][condition][name] == pytest.approx(values, abs=1e-4)
