"""A synthetic defence that fails with probability p: N attempts give 1 - (1 - p)^N."""

from __future__ import annotations

import json
import random

import pytest
import torch
from robust_restoration_studies import resubmission
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError

P, COUNT, DRAWS = 0.1, 2000, 12


class Fails(nn.Module):
    """Right (class 0), but for a share of all draws; more often on images that are not black."""

    random = True

    def __init__(self, draw) -> None:
        super().__init__()
        self.draw = draw

    def forward(self, images):
        share = torch.where(images.flatten(1).amax(1) > 0, P, P / 10)
        wrong = (self.draw(len(images)) < share).float()
        return torch.stack([1 - wrong, wrong], dim=1)


def rows(count):
    return torch.rand(count)


def batch(count):  # one number for all, from a generator that is not torch's
    return torch.full((count,), random.random())


@pytest.mark.slow
@pytest.mark.parametrize("draw", [rows, batch])
def test_attempts_of_a_synthetic_defence(draw):
    count = COUNT if draw is rows else 300
    clean, attacked = torch.zeros(count, 1, 2, 2), torch.ones(count, 1, 2, 2)
    labels = torch.zeros(count, dtype=torch.long)
    state = torch.get_rng_state(), random.getstate()
    found = resubmission(Fails(draw), clean, attacked, labels, draws=DRAWS, seed=3)
    assert torch.equal(state[0], torch.get_rng_state())
    assert state[1] == random.getstate()
    for attempts in (1, 2, 5, 12):
        shares = {P: found.every(attempts), P / 10: found.every(attempts, clean=True)}
        for expected, share in shares.items():
            fooled = 1 - float(share.float().mean())
            chance = 1 - (1 - expected) ** attempts
            assert abs(fooled - chance) < 4 * (chance * (1 - chance) / count) ** 0.5
    # Against chance the majority helps the defender, where attempts help the attacker.
    assert found.majority(11).float().mean() > found.every(1).float().mean()
    assert found.majority(1).equal(found.every(1))


def test_draws_depend_on_seed_and_number_alone():
    images = torch.ones(6, 1, 2, 2)
    labels = torch.zeros(6, dtype=torch.long)
    model = Fails(rows)
    whole = resubmission(model, images, images, labels, draws=50)
    part = resubmission(model, images[4:], images[4:], labels[4:], draws=50, index=4)
    assert torch.equal(whole.attacked[4:], part.attacked)
    assert len({tuple(row.tolist()) for row in whole.attacked}) > 1
    again = resubmission(model, images, images, labels, draws=50, seed=1)
    assert not torch.equal(whole.attacked, again.attacked)


def test_draws_come_in_bounded_batches_with_the_same_answers():
    sizes = []

    class Counts(Fails):
        def forward(self, images):
            sizes.append(len(images))
            return super().forward(images)

    images, labels = torch.ones(2, 1, 2, 2), torch.zeros(2, dtype=torch.long)
    small = resubmission(Counts(rows), images, images, labels, draws=25, batch_size=8)
    assert max(sizes) == 8
    assert sizes[:4] == [8, 8, 8, 1]
    whole = resubmission(Counts(rows), images, images, labels, draws=25)
    assert torch.equal(small.attacked, whole.attacked)


CLASSIFIER = """
import torch
from torch import nn

class Noisy(nn.Module):
    random = unit_range = True

    def forward(self, images):
        noisy = images + 0.3 * torch.randn_like(images)
        return torch.stack([noisy[:, 0].mean((1, 2)), noisy[:, 1].mean((1, 2))], 1)

def noisy():
    return Noisy()
"""


def test_the_command(tmp_path, run, monkeypatch):
    """Red against green: what is attacked by 40/255 is answered by chance, and asked again lost."""
    (tmp_path / "noisymodule.py").write_text(CLASSIFIER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for label in (0, 1):
        for number in range(3):
            image = torch.full((3, 8, 8), 0.4)
            image[label] = 0.6
            rr.write_image(image, tmp_path / f"test/{label}/{number}.png")
    words = ("resubmission", "--classifier", "noisymodule:noisy", "--data", "test", "--draws", 10,
             "--attack", "white-box-quick steps=3", "--batch-size", 4)
    status, out, err = run(*words, "--eps", 26, "-o", "found/noisy")
    assert status == 0, err
    rows = [line.split("|")[1].strip() for line in out.splitlines() if line.startswith("|")]
    assert rows[2:] == ["1", "2", "5", "10"]
    kept = json.loads((tmp_path / "found/noisy.json").read_text())
    said = {name: torch.tensor(kept[name]) for name in ("labels", "clean", "attacked")}
    right = {n: (said[n] == said["labels"][:, None]).float() for n in ("clean", "attacked")}
    assert right["clean"].mean() > 0.95  # 0.2 apart, with a deviation of 0.3 / 8 * sqrt(2)
    assert right["attacked"].mean() < 0.8
    assert right["attacked"].all(1).float().mean() < right["attacked"].mean()
    assert (tmp_path / "found/noisy.png").stat().st_size > 5000
    status, _, err = run(*words, "--expectation", 0)
    assert status == 2
    assert err.count("\n") == 1
    assert "expectation is 0" in err


def test_table_and_bad_input():
    images, labels = torch.ones(4, 1, 2, 2), torch.zeros(4, dtype=torch.long)
    found = resubmission(Fails(rows), images, images, labels, draws=5)
    assert [line.split("|")[1].strip() for line in found.to_markdown().splitlines()[2:]] == [
        "1", "2", "5"
    ]
    with pytest.raises(InputError, match="draws"):
        found.every(6)
    with pytest.raises(InputError, match=r"labels \(3,\)"):
        resubmission(Fails(rows), images, images, labels[:3])
