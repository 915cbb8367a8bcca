"""A synthetic defence that fails with probability p: N attempts give 1 - (1 - p)^N."""

from __future__ import annotations

import random

import pytest
import torch
from robust_restoration_studies import resubmission
from torch import nn

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
