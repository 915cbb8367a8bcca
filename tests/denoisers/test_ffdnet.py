"""FFDNet: the order of its sub-images, its map of the noise level, odd sizes."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_denoisers.ffdnet import FFDNet, ffdnet_test, join, split
from torch import nn

from robust_restoration.errors import InputError

OFFSETS = ((0, 0), (1, 0), (0, 1), (1, 1))  # (row, column) of the sub-images


@pytest.mark.parametrize("channels", [1, 3])
def test_sub_images_stand_channel_by_channel_and_down_the_rows_first(channels):
    images = torch.rand(2, channels, 6, 8)
    parts = split(images)
    assert parts.shape == (2, 4 * channels, 3, 4)
    for channel in range(channels):
        for k, (row, column) in enumerate(OFFSETS):
            expected = images[:, channel, row::2, column::2]
            assert torch.equal(parts[:, 4 * channel + k], expected)
    assert torch.equal(join(parts), images)


@pytest.mark.parametrize(
    ("channels", "depth", "features"), [(1, 15, 64), (3, 12, 96)]
)
def test_sizes_of_the_paper(channels, depth, features):
    convolutions = [m for m in FFDNet(channels=channels).modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == depth
    assert convolutions[0].in_channels == 4 * channels + 1
    assert {c.out_channels for c in convolutions[:-1]} == {features}
    assert convolutions[-1].out_channels == 4 * channels


def test_the_noise_level_is_the_last_input():
    model = FFDNet(depth=2, features=4).eval()
    first, _, last = model.net
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        first.weight[0, -1, 1, 1] = 1  # copies the level
        last.weight[:, 0, 1, 1] = 1
        restored = model(torch.rand(2, 1, 5, 7), torch.tensor([0.1, 0.2]))
    assert torch.equal(restored[0], torch.full((1, 5, 7), 0.1))
    assert torch.equal(restored[1], torch.full((1, 5, 7), 0.2))


def test_an_odd_side_is_as_if_its_last_line_came_twice():
    model = ffdnet_test().eval()
    noisy = torch.rand(1, 1, 7, 9)
    longer = torch.cat([noisy, noisy[..., -1:]], dim=3)
    longer = torch.cat([longer, longer[..., -1:, :]], dim=2)
    with torch.no_grad():
        assert torch.allclose(model(noisy, 0.1), model(longer, 0.1)[..., :7, :9], atol=1e-6)


def test_wants_the_noise_level():
    model = ffdnet_test()
    assert not model.blind
    with pytest.raises(InputError, match="sigma=25/255"):
        model(torch.rand(1, 1, 8, 8))
