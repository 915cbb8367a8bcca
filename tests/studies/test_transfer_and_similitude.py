import json
import math
import sys

import pytest
import torch
from PIL import Image
from robust_restoration_studies import (
    TransferResult,
    circle_samples,
    polygon_iou,
    radar,
    similitude,
    transfer,
)
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError
from robust_restoration.evaluation.result import Record


class Blur(nn.Module):
    def __init__(self, side=3):
        super().__init__()
        self.side = side

    def forward(self, noisy):
        return nn.functional.avg_pool2d(
            noisy, self.side, 1, self.side // 2, count_include_pad=False
        )


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(0)
    return [
        nn.functional.interpolate(torch.rand(1, 1, 6, 6, generator=draw), size=(20, 24))[0]
        for _ in range(3)
    ]


def test_transfer_s_diagonal_is_evaluate_s_attack(images):
    models = {"three": Blur(3), "five": Blur(5)}
    found = transfer(models, images, attack="obsatk", attack_options={"eps": 5 / 255})
    for name, model in models.items():
        expected = rr.evaluate(model, images, threats=["obsatk"], progress=False, checks=False)
        assert found.result.values(subject=name) == expected.values()
        assert found.result.values(name, subject=name) == expected.values("obsatk")
        assert found.dmr(name, name) == pytest.approx(expected.dmr("obsatk"), abs=1e-3)
    assert found.dmr("five", "three") > found.dmr("three", "three")


def test_an_image_s_random_start_is_its_own(images):
    """Its figures do not depend on which others are looked at, and each image has its own start."""
    seen = []

    class Recording(nn.Module):
        def forward(self, noisy):
            seen.append(noisy.detach().clone())
            return Blur(3)(noisy)

    same = [images[0]] * 3
    options = {"steps": 1, "alpha": 1e-9, "eps": 8 / 255, "clip": None}
    transfer({"a": Recording()}, same, attack_options=options)
    tried, noisy, _, attacked = seen  # asked what it is, restored, in one step, restored
    assert (len(tried), len(noisy)) == (1, 3)
    starts = attacked - noisy
    assert all(s.abs().max() > 7 / 255 for s in starts)
    assert not torch.allclose(starts[0], starts[1], atol=1e-3)
    assert not torch.allclose(starts[1], starts[2], atol=1e-3)
    whole = transfer({"a": Blur(3)}, images, attack_options=options).result
    first = transfer({"a": Blur(3)}, images, attack_options=options, limit=2).result
    assert list(whole.values("a").values())[:2] == list(first.values("a").values())


def test_attacks_hear_the_image_s_number(images, monkeypatch):
    heard = []

    def attack(noisy, clean, *, index):
        heard.append(index)
        return noisy + 0.01 * torch.randn_like(noisy)

    module = sys.modules[similitude.__module__]
    monkeypatch.setattr(module, "create_attack", lambda *_, **__: attack)
    similitude({"a": Blur(3)}, images)
    assert heard == [0, 1, 2]


def test_success_is_eq_3(tmp_path):
    """Two of four images count: one is not restored, one did not fool its own source."""
    noisy = {"a": [30.0, 30.0, 30.0, 30.0], "b": [30.0, 30.0, 19.0, 30.0]}
    attacked = {
        "a": {"a": [25.0, 29.8, 25.0, 25.0], "b": [28.0, 25.0, 15.0, 29.9]},
        "b": {"a": [30.0, 30.0, 30.0, 30.0], "b": [30.0, 30.0, 30.0, 30.0]},
    }
    rows = []
    for subject in ("a", "b"):
        columns = {"unattacked": noisy[subject], **{s: attacked[s][subject] for s in attacked}}
        for threat, values in columns.items():
            for number, value in enumerate(values):
                about = (subject, "set", str(number), threat, float(threat != "unattacked"), "")
                rows += [Record(*about, "psnr", value), Record(*about, "observed psnr", 20.0)]
    result = TransferResult(rr.Result(rows))
    assert result.counted("a", "b", 1.0) == ["0", "3"]
    assert result.success("a", "b", 1.0) == 0.5
    assert result.counted("a", "a", 1.0) == ["0", "2", "3"]
    assert result.success("a", "a", 1.0) == 1.0
    assert result.counted("b", "a", 1.0) == []
    assert result.success("b", "a", 1.0) is None
    result.to_json(tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text())["success"]["b"]["a"] is None


def test_transfer_s_success_and_exports(images, tmp_path):
    result = transfer({"three": Blur(3), "five": Blur(5)}, images, sources=["five"])
    assert result.sources == ["five"]
    assert result.names == ["three", "five"]
    share = result.success("five", "three", 0.1)
    assert share is None or 0 <= share <= 1
    result.to_json(tmp_path / "t.json")
    kept = json.loads((tmp_path / "t.json").read_text())
    assert kept["dmr"]["five"]["three"] == result.dmr("five", "three")
    assert f"{result.dmr('five', 'five'):+.2f}" in str(result)
    result.plot(tmp_path / "t.png")
    assert Image.open(tmp_path / "t.png").size[0] > 300
    for sources in (["four"], []):
        with pytest.raises(InputError, match="expected one or more of the latter"):
            transfer({"three": Blur(3)}, images, sources=sources)


def test_circle_samples(images):
    clean = images[0]
    noisy = rr.Gaussian(0.1)(clean[None], seed=0)[0][0]
    attacked = noisy + 0.02 * torch.randn(noisy.shape, generator=torch.Generator().manual_seed(1))
    samples = circle_samples(noisy, clean, attacked, count=40)
    size = (attacked - noisy).norm()
    assert torch.allclose((samples - noisy).flatten(1).norm(dim=1), size.expand(40), rtol=1e-4)
    noise = noisy - clean
    assert torch.allclose(samples[10] - noisy, size * noise / noise.norm(), atol=1e-5)
    # Opposite angles are opposite, and the attack lies in the plane.
    assert torch.allclose(samples[3] - noisy, noisy - samples[23], atol=1e-5)
    plane = torch.stack([(samples[0] - noisy).flatten(), noise.flatten()]).T
    change = (attacked - noisy).flatten()
    rest = change - plane @ torch.linalg.lstsq(plane, change[:, None]).solution[:, 0]
    assert rest.norm() < 1e-4
    with pytest.raises(InputError, match="no noise"):
        circle_samples(clean, clean, attacked)
    with pytest.raises(InputError, match="span no plane"):
        circle_samples(noisy, clean, noisy + 0.1 * noise)


def test_the_authors_ellipse(images):
    clean = images[0]
    noisy = rr.Gaussian(0.1)(clean[None], seed=0)[0][0]
    noise = noisy - clean
    axis = noise / noise.norm()
    change = 0.5 * axis + torch.nn.functional.normalize(torch.randn(480), dim=0).view_as(noise)
    samples = circle_samples(noisy, clean, noisy + change, count=40, shape="ellipse") - noisy
    size, cosine = change.norm(), (change * axis).sum() / change.norm()
    assert samples[10].norm().item() == pytest.approx(size.item(), rel=1e-4)
    narrow = ((1 - cosine**2) / (1 + cosine**2)).sqrt()
    assert samples[0].norm().item() == pytest.approx((size * narrow).item(), rel=1e-3)
    with pytest.raises(InputError, match="expected 'circle' or 'ellipse'"):
        circle_samples(noisy, clean, noisy + change, shape="square")
    with pytest.raises(InputError, match="count is 0; expected a whole number, 1 or more"):
        circle_samples(noisy, clean, noisy + change, count=0)


@pytest.mark.parametrize("seed", range(5))
def test_iou_against_fine_sectors(seed):
    draw = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(9, generator=draw, dtype=torch.float64) + 0.1 for _ in range(2))
    if seed == 4:
        a[3] = b[5] = 0.0

    def edge(radii, angles):
        """Where the polygon's boundary lies at each angle."""
        step = 2 * math.pi / len(radii)
        index = (angles / step).floor().long()
        inside = angles - index * step
        p, q = radii[index], radii[(index + 1) % len(radii)]
        height = p * inside.sin() + q * (step - inside).sin()
        return torch.where(height > 0, p * q * math.sin(step) / height.clamp(min=1e-12), 0 * p)

    angles = (torch.arange(2_000_000, dtype=torch.float64) + 0.5) * (2 * math.pi / 2_000_000)
    one, two = edge(a, angles), edge(b, angles)
    shared = torch.minimum(one, two).square().sum()
    union = torch.maximum(one, two).square().sum()
    assert polygon_iou(a, b) == pytest.approx(float(shared / union), abs=1e-5)
    assert polygon_iou(a, b) == pytest.approx(polygon_iou(b, a))
    assert polygon_iou(a, a) == pytest.approx(1.0)
    assert polygon_iou(a, a / 2) == pytest.approx(0.25)


def test_iou_of_nothing():
    zero, one = torch.zeros(5), torch.ones(5)
    assert polygon_iou(zero, zero) == 1.0
    assert polygon_iou(zero, one) == 0.0
    with pytest.raises(InputError, match="at least 3"):
        polygon_iou(torch.ones(2), torch.ones(2))


def test_radar_and_similitude(images, tmp_path):
    models = {"three": Blur(3), "again": Blur(3), "five": Blur(5)}
    found = similitude(models, images, attack="obsatk", count=24, limit=2)
    assert found.dmrs("three", "again") == pytest.approx(1.0)
    assert 0 < found.dmrs("three", "five") < 1
    for radii in found.radii["five"]:
        assert max(radii) == pytest.approx(1.0)
        assert min(radii) >= 0
    found.to_json(tmp_path / "s.json")
    assert json.loads((tmp_path / "s.json").read_text())["dmrs"]["three"]["again"] == 1.0
    found.plot(tmp_path / "s.png")
    assert Image.open(tmp_path / "s.png").size[0] > 300
    for source in ("four", ""):
        with pytest.raises(InputError, match="expected one of them"):
            similitude(models, images, source=source)
    for count in (0, 2, -1):
        with pytest.raises(InputError, match=f"count is {count}; expected a whole number, 3"):
            similitude(models, images, count=count)
    with pytest.raises(InputError, match="There are no samples"):
        radar(Blur(), images[0][None][:0], images[0], images[0], 0.1)


def test_radar_of_a_denoiser_that_does_not_fall():
    clean = torch.rand(1, 8, 8)

    class Perfect(nn.Module):
        def forward(self, noisy):
            return clean.expand_as(noisy)

    noisy = clean + 0.1
    assert not radar(Perfect(), noisy[None] + torch.rand(5, 1, 8, 8), noisy, clean, 0.1).any()


def test_a_gain_is_not_a_drop():
    clean = torch.full((1, 8, 8), 0.5)
    noisy = clean + 0.2
    samples = torch.stack([clean + 0.1, clean + 0.3, clean + 0.4])
    radii = radar(nn.Identity(), samples, noisy, clean, 0.1)
    assert radii[0] == 0
    assert 0 < radii[1] < radii[2] == 1
