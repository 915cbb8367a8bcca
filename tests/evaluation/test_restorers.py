import pytest
import torch
from PIL import Image
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError
from robust_restoration.evaluation.controls import control
from robust_restoration.evaluation.threats import parse_threats


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


def column(result, *words, **which):
    return list(result.values(*words, **which).values())


def test_a_step_length_in_words_is_a_level():
    (threat,) = parse_threats(["torchattacks/pgd eps=8 alpha=2 steps=3"], "denoiser", ["mine"])
    assert threat.eps == 8 / 255
    assert threat.options == {"alpha": 2 / 255, "steps": 3}


def test_a_table_says_that_colours_were_made_gray(images):
    colour = [image.expand(3, -1, -1) for image in images[:1]]
    options = {"threats": [], "checks": False}
    assert "made gray" in str(table(Blur(), colour, channels=1, **options))
    assert "made gray" not in str(table(Blur(), colour, channels=3, **options))


def test_rows_and_what_they_mean(images):
    result = table(Blur(), images, threats=["obsatk", "denoising_pgd"])
    assert result.subjects == ["Blur"]
    assert result.threats == ["obsatk", "denoising_pgd"]
    assert len(result.controls("obsatk")) == 3
    for cell in result.cells().values():
        assert {len(values) for values in cell.values()} == {5}
    assert result.dmr("obsatk") < -0.5
    assert result.dmr("obsatk", control="random direction") > result.dmr("obsatk") / 2
    assert result.mean("obsatk", "size") == pytest.approx(5 / 255, rel=1e-3)
    direction = column(result, "obsatk", "size", control="random direction")
    assert direction == pytest.approx(column(result, "obsatk", "size"), rel=1e-4)
    assert result.dmr("unattacked") == 0
    assert result.mean() == result.mean("unattacked", "psnr", subject="Blur", data="images")


def test_figures_by_hand(images):
    result = table(Blur(), images, threats=["obsatk"], seed=3)
    noise, blur = rr.Gaussian(25 / 255), Blur()
    for number, image in enumerate(images):
        noisy, _ = noise(image[None], seed=3, index=number)
        attacked = rr.create_attack("obsatk", blur)(noisy, image[None])
        for threat, what in (("unattacked", noisy), ("obsatk", attacked)):
            expected = rr.psnr(blur(what), image[None]).item()
            assert column(result, threat)[number] == pytest.approx(expected, abs=1e-4)
            observed = rr.psnr(what, image[None]).item()
            assert column(result, threat, "observed psnr")[number] == pytest.approx(
                observed, abs=1e-4
            )


def test_energy_control_is_exactly_as_long(images):
    clean = torch.stack([images[0], images[1]])
    noisy, _ = rr.Gaussian(0.1)(clean, seed=0)
    attacked = noisy + 0.02
    found = control("same energy", None, noisy, attacked, clean, seed=0, index=[0, 1])
    length = (attacked - clean).flatten(1).norm(dim=1)
    assert torch.allclose((found - clean).flatten(1).norm(dim=1), length, rtol=1e-4)


def test_same_figures_in_any_batch_size(images):
    names = ["obsatk_auto restarts=2 steps=6", "denoising_pgd", "l2_denoising_pgd steps=2"]
    one, many = (
        table(Blur(), images, threats=names, batch_size=size, checks=False) for size in (1, 4)
    )
    assert [r[:-1] for r in one.records] == [r[:-1] for r in many.records]
    assert [r.value for r in one.records] == pytest.approx(
        [r.value for r in many.records], abs=1e-3
    )


def test_several_strengths(images):
    result = table(Blur(), images, threats=["obsatk"], eps=[2 / 255, 8 / 255, 5 / 255])
    assert result.strengths("obsatk") == [2 / 255, 5 / 255, 8 / 255]
    falls = [result.dmr("obsatk", eps=e) for e in result.strengths("obsatk")]
    assert falls == sorted(falls, reverse=True)
    alone = table(Blur(), images, threats=["obsatk"], eps=5 / 255)
    assert column(result, "obsatk", eps=5 / 255) == column(alone, "obsatk")
    with pytest.raises(InputError, match="say which eps="):
        result.mean("obsatk")


@pytest.mark.parametrize("own", [None, 7 / 255])
def test_within_level_takes_off_the_attack_s_own_eps(images, own):
    """The noise below an attack has the level sigma - eps of that attack, not of evaluate."""
    word = "obsatk" if own is None else "obsatk eps=7"
    result = table(Blur(), images, threats=[word], within_level=True, eps=3 / 255)
    level = 25 / 255 - (own or 3 / 255)
    for number, image in enumerate(images):
        noisy, _ = rr.Gaussian(level)(image[None], seed=0, index=number)
        expected = rr.psnr(Blur()(noisy), image[None]).item()
        found = column(result, word, control="clamp only")[number]
        assert found == pytest.approx(expected, abs=1e-4)
    assert result.mean(word, control="clamp only") > result.mean()


def test_a_denoiser_is_told_the_level(images):
    low, high = (table(Told(), images, threats=[], sigma=s).mean() for s in (0.02, 0.1))
    assert low > high
    assert table(Told(), images, threats=["obsatk"], sigma=0.1).dmr("obsatk") < 0


def test_other_noise_and_real_noise(images):
    poisson = table(Blur(), images, threats=[], noise="poisson:30", sigma=None)
    assert poisson.settings["noise"] == "poisson:30"
    clean = [(i * 255).round().byte() for i in images]
    noisy = [(i.float() + 20 * torch.randn(i.shape)).clamp(0, 255).round().byte() for i in clean]
    pairs = rr.RestorationImages("pairs", clean, [str(i) for i in range(5)], noisy)
    real = table(Blur(), pairs, threats=["obsatk"], sigma=None)
    expected = rr.psnr(Blur()(noisy[0][None] / 255), clean[0][None] / 255).item()
    assert column(real)[0] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(InputError, match="own noise"):
        table(Blur(), pairs, within_level=True)


def test_an_unknown_precision_is_refused(images):
    with pytest.raises(InputError, match="expected 'bf16', 'fp16' or None"):
        table(Blur(), images, threats=[], autocast="bfloat16")


class Conv(nn.Module):
    """Keeps the precision that its convolution ran in."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.seen = set()

    def forward(self, noisy):
        out = self.conv(noisy)
        self.seen.add(out.dtype)
        return out


@pytest.mark.parametrize(("autocast", "dtype"), [(None, torch.float32), ("bf16", torch.bfloat16)])
def test_networks_run_in_the_precision_asked_for(images, autocast, dtype):
    model = Conv()
    table(model, images, threats=["obsatk"], autocast=autocast, checks=False)
    assert model.seen - {torch.float32} == {dtype} - {torch.float32}
    model.seen.clear()
    table(model, images, threats=["obsatk"], autocast=autocast, checks=False)
    if autocast:  # but for the one try that tells what kind of module it is
        assert dtype in model.seen


def test_masked_gradients_are_noticed(images):
    notes = " ".join(table(Flat(), images, threats=["obsatk"], eps=20 / 255).warnings())
    assert "the gradient is 0 at 3 of 3 images" in notes
    assert "more steps do not help" in notes
    assert "is not the attack's doing" in notes


def test_nothing_to_remark_on_a_plain_blur(images):
    assert table(Blur(), images, threats=["obsatk_auto", "denoising_pgd"]).warnings() == []


def test_an_attack_that_is_energy_only_is_called_out(images):
    class Gaussian(rr.Attack):
        eps, bounds = 0.1, None

        def __init__(self, model):
            super().__init__("Gaussian", model)

        def forward(self, inputs, labels):
            return inputs + self.eps * torch.randn(inputs.shape)

    result = table(Blur(), images, threats={"noise": Gaussian(Blur())})
    assert any("noise leaves" in w for w in result.warnings())


def test_strips(images, tmp_path):
    table(Blur(), images, threats=["obsatk"], strips=tmp_path / "strips")
    strips = sorted((tmp_path / "strips").iterdir())
    assert [p.name for p in strips] == [f"{n}.obsatk.png" for n in range(5)]
    assert Image.open(strips[0]).size == (7 * 24 + 6 * 4, 20 + 16)


def test_each_image_has_a_strip_and_a_name_of_its_own(images, tmp_path):
    names = ["a/b", "a-b", "a/b", "a/b (2)", "a.b", "../a", "/a"]
    data = rr.RestorationImages("odd", [images[0]] * 7, names)
    result = table(Blur(), data, threats=["obsatk"], strips=tmp_path / "in" / "strips")
    assert result.images() == ["a/b", "a-b", "a/b (2)", "a/b (2) (2)", "a.b", "../a", "/a"]
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(written) == 7
    assert all((tmp_path / "in" / "strips") in p.resolve().parents for p in written)
    result.to_html(tmp_path / "r.html", strips=tmp_path / "in" / "strips")
    assert (tmp_path / "r.html").read_text().count("data:image/png") == 7


def test_metrics_of_plugins(images, fake_plugin):
    fake_plugin(
        "fake_metrics",
        "from robust_restoration import Entry, hookimpl\n"
        "@hookimpl\n"
        "def metrics():\n"
        "    return [Entry('worst', 'fake_metrics:worst', 'largest error')]\n"
        "def worst(restored, clean):\n"
        "    return (restored - clean).abs().flatten(1).amax(1)\n",
    )
    result = table(Blur(), images, threats=[], metrics=["psnr", "worst"])
    assert result.metrics == ["psnr", "worst", "size", "observed psnr"]
    noisy, _ = rr.Gaussian(25 / 255)(images[0][None], seed=0)
    expected = (Blur()(noisy) - images[0]).abs().max().item()
    assert column(result, "unattacked", "worst")[0] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(rr.UnknownNameError, match="psnx"):
        table(Blur(), images, metrics=["psnx"])


def test_large_images_are_tiled(monkeypatch):
    from robust_restoration.evaluation import restoration

    monkeypatch.setattr(restoration, "WHOLE_SIDE", 40)
    draw = torch.Generator().manual_seed(0)
    image = [torch.rand(1, 70, 90, generator=draw)]
    tiled = table(Blur(), image, threats=["obsatk"], tile=32)
    whole = table(Blur(), image, threats=["obsatk"], tile=None)
    assert [r.value for r in tiled.records] == pytest.approx(
        [r.value for r in whole.records], abs=1e-3
    )


def test_one_damaged_image_is_named_and_skipped(images, tmp_path):
    for number, image in enumerate(images):
        rr.write_image(image, tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    result = table(Blur(), tmp_path, threats=[])
    assert result.images() == ["0", "1", "2", "4"]
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
        (Told(), {"sigma": None, "noise": "poisson:30"}, "needs the noise level"),
        (Blur(), {"sigma": None}, "give one of them"),
        (Blur(), {"threats": "obsatk"}, "expected a list"),
        (Blur(), {"threats": ["obsatk", "obsatk"]}, "would be called 'obsatk'"),
        (Blur(), {"threats": ["obsatx"]}, "obsatk"),
        (Blur(), {"threats": ["white-box"]}, "threat to classifiers"),
        (Blur(), {"threats": [3]}, "A threat is 3"),
        (Blur(), {"threats": ["obsatk 5"]}, "expected NAME=VALUE"),
        (Blur(), {"threats": ["obsatk"], "eps": 0}, "no eps above 0"),
        (Blur(), {"eps": 8}, "such as 5/255"),
        (Blur(), {"threats": [rr.Threat("obsatk", through="other")]}, "goes through 'other'"),
        (Blur(), {"purifiers": ["median"]}, "the subject is a denoiser"),
        (Blur(), {"within_level": True, "sigma": 0.01}, "at least\\s+eps"),
    ],
)
def test_bad_input(denoiser, options, sentence, images):
    with pytest.raises(rr.RobustRestorationError, match=sentence):
        table(denoiser, images, **options)


def test_colour_for_gray(images):
    colour = [i.expand(3, -1, -1) for i in images]
    model = rr.create_denoiser("dncnn_test")
    assert table(model, colour, threats=[]).images()  # brought to the denoiser's channels
    with pytest.raises(InputError, match="expected 1"):
        table(model, colour, threats=[], channels=3)




def test_transfer(images, tmp_path):
    class Wide(Blur):
        def forward(self, noisy):
            return nn.functional.avg_pool2d(noisy, 5, 1, 2, count_include_pad=False)

    models = {"three": Blur(), "five": Wide()}
    result = table(models, images, threats=[rr.Threat("obsatk", through="each")], checks=False)
    assert result.threats == ["obsatk on three", "obsatk on five"]
    for name, model in models.items():
        alone = table(model, images, threats=["obsatk"], checks=False)
        assert column(result, f"obsatk on {name}", subject=name) == column(alone, "obsatk")
        assert column(result, subject=name) == column(alone)
    made_on_five = result.dmr("obsatk on five", subject="three")
    assert made_on_five > result.dmr("obsatk on three", subject="three")
    result.plot(tmp_path / "t.png")
    foreign = table(models, images, threats=[rr.Threat("obsatk", through=Wide(), name="x")])
    for name in models:
        assert column(foreign, "x", subject=name) == column(
            result, "obsatk on five", subject=name
        )


def test_a_denoiser_on_another_scale_is_warned_of(images):
    class Bytes(nn.Module):
        """Restores values from 0 to 255, whatever it is given."""

        def forward(self, noisy):
            return 255 * Blur()(noisy)

    class Rough(nn.Module):
        """Takes what is below a grey level of 255 for noise."""

        def forward(self, noisy):
            return Blur()(noisy) * 0

    options = {"sigma": 25 / 255, "progress": False, "checks": False, "threats": []}
    for denoiser in (Bytes(), Rough()):
        said = rr.evaluate(denoiser, images, **options).warnings()
        assert any("worse than nothing" in s and "from 0 to 255" in s for s in said)
    for denoiser in (Blur(), nn.Identity()):
        assert not any("worse" in s for s in rr.evaluate(denoiser, images, **options).warnings())
