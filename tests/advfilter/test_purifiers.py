"""The four purifiers: sizes, the paper's channels, and the fusion formula."""

from __future__ import annotations

import pytest
import torch
from robust_restoration_advfilter.grain import fine_grain
from robust_restoration_advfilter.networks import STEEPNESS, Decoder, PixelNet
from robust_restoration_advfilter.pixel_filter import pixel_filter
from robust_restoration_testing import check_purifier
from torch import Tensor, nn

from robust_restoration import create_purifier
from robust_restoration.errors import InputError

NAMES = ["additive", "filtering", "multi_head", "advfilter"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_conformance(name: str, channels: int) -> None:
    check_purifier(create_purifier(name, width=0.05, channels=channels).eval())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(17, 23), (32, 32), (5, 7), (1, 1)])
def test_any_image_size(name: str, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        out = create_purifier(name, width=0.05).eval()(images)
    assert out.shape == images.shape
    assert 0 <= float(out.min()) <= float(out.max()) <= 1


def test_full_width_has_the_papers_channels() -> None:
    with torch.device("meta"):
        net = PixelNet(3, 75, width=1.0, decoder_width=1.0, decoders=2)
    convolutions = [m.out_channels for m in net.encoder.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions == [c for c in (64, 128, 256, 512, 512) for _ in range(3)]
    for decoder in net.decoders:
        found = [m.out_channels for m in decoder.modules() if isinstance(m, nn.Conv2d)]
        assert found == [512] * 3 + [256] * 3 + [76] * 3 + [75]  # 75 rounded to a multiple of 4
    assert net.decoders[0].block6[0].in_channels == 1024
    assert net.decoders[0].block7[0].in_channels == 768


@pytest.mark.parametrize("name", NAMES)
def test_what_the_papers_networks_are_not_given(name: str) -> None:
    with torch.device("meta"):
        paper = create_purifier(name, width=1, grain=False, halved=False)
        ours = create_purifier(name)
    assert paper.options["decoder_width"] == 1
    assert ours.options["decoder_width"] == ours.options["width"] / 2
    first = "net.encoder.blocks.0.0.weight"
    assert paper.state_dict()[first].shape[1] == 3
    assert len(paper.net.encoder.blocks) == 5
    assert ours.state_dict()[first].shape[1] == (3 + 3) * 4
    assert len(ours.net.encoder.blocks) == 4


@pytest.mark.parametrize("name", NAMES)
def test_eight_bits_undo_what_a_file_would_lose(name: str) -> None:
    model = create_purifier(name, width=0.05, input_bits=8).eval()
    clean = torch.randint(256, (2, 3, 16, 16)) / 255
    change = torch.rand_like(clean) * 2 - 1
    with torch.no_grad():
        expected = model(clean)
        assert torch.equal(model(clean + 0.99 / 510 * change), expected)
        assert not torch.equal(model((clean + 3 / 510 * change).clamp(0, 1)), expected)
    plain = create_purifier(name, width=0.05).eval()
    plain.load_state_dict(model.state_dict())
    assert torch.equal(plain(clean), model(clean))


def test_gradients_pass_rounding_straight_through() -> None:
    """A white-box attacker shall not be stopped by a derivative of zero."""
    model = create_purifier("filtering", width=0.05, input_bits=8).eval()
    plain = create_purifier("filtering", width=0.05).eval()
    plain.load_state_dict(model.state_dict())
    clean = torch.randint(256, (1, 3, 16, 16)) / 255
    found, expected = (
        torch.autograd.grad(net(image).square().sum(), image)[0]
        for net, image in ((model, clean.clone().requires_grad_()),
                           (plain, clean.clone().requires_grad_()))
    )
    torch.testing.assert_close(found, expected)
    assert float(found.abs().max()) > 0


def test_output_layer_commutes_with_upsampling() -> None:
    decoder = Decoder(12, 0.1, 0.1)
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    features = torch.rand(1, decoder.heads[0].in_channels, 6, 6)
    head = decoder.heads[0]
    torch.testing.assert_close(up(head(features)), head(up(features)))


def test_kernels_are_predicted_in_float32_under_autocast() -> None:
    net = PixelNet(3, 27, width=0.05, decoder_width=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.rand(1, 3, 32, 32))[0].dtype == torch.float32


@pytest.mark.parametrize("detector", [False, True])
@pytest.mark.parametrize("ours", [False, True])
def test_advfilter_is_the_papers_fusion(detector: bool, ours: bool) -> None:
    """Eqs. 8 to 11, written out, with the uncertainty maps and weights at half the size."""
    model = create_purifier(
        "advfilter", width=0.05, kernel_size=3, grain=ours, halved=ours, detector=detector
    ).eval()
    for decoder in model.net.decoders:
        nn.init.normal_(decoder.heads[0].weight, std=0.1)
    nn.init.normal_(model.fusion.layers[-1].weight)
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        found = model.outputs(images)
        first, second = model.net(images)
        maps = torch.cat([first.max(1, True).values, second.max(1, True).values], dim=1)
        logits = model.fusion.layers(maps)
        if detector:
            logits = logits + STEEPNESS * model.fusion.detector(fine_grain(images)).view(2, 1, 1, 1)
        weight = torch.sigmoid(logits)
        expected = pixel_filter(
            images,
            torch.nn.functional.interpolate(
                weight * first + (1 - weight) * second, scale_factor=2, mode="bilinear"
            ),
        )
    assert len([m for m in model.fusion.layers.modules() if isinstance(m, nn.Conv2d)]) == 6
    torch.testing.assert_close(found["weight"], weight)
    torch.testing.assert_close(found["out"], expected)
    torch.testing.assert_close(model(images), expected.clamp(0, 1))


def test_given_weights_choose_a_decoder() -> None:
    """Eq. 11: weighing the kernels is weighing the filtered images."""
    model = create_purifier("advfilter", width=0.05).eval()
    for decoder in model.net.decoders:
        nn.init.normal_(decoder.heads[0].weight, std=0.1)
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        first, second, mixed = (
            model.outputs(images, torch.full((2, 1, 1, 1), w))["out"] for w in (1.0, 0.0, 0.3)
        )
    assert not torch.allclose(first, second)
    torch.testing.assert_close(mixed, 0.3 * first + 0.7 * second)


def test_first_decoder_starts_at_the_identity() -> None:
    model = create_purifier("advfilter", width=0.05).eval()
    for decoder in model.net.decoders:
        nn.init.zeros_(decoder.heads[0].weight)
    images = torch.rand(1, 3, 16, 16)
    first = model.outputs(images, torch.ones(1, 1, 1, 1))["out"]
    torch.testing.assert_close(first, images)


def test_additive_starts_near_the_identity_and_filtering_near_a_mild_blur() -> None:
    images = torch.rand(1, 3, 16, 16)
    additive = create_purifier("additive", width=0.05).eval()
    assert (additive(images) - images).abs().mean() < 0.1
    flat = torch.full((1, 3, 24, 24), 0.5)
    filtered = create_purifier("filtering", width=0.05).eval()(flat)
    assert (filtered - flat)[..., 4:-4, 4:-4].abs().max() < 0.1


def test_multi_head_gives_the_chosen_head() -> None:
    model = create_purifier("multi_head", width=0.05, head=2).train()
    for head in model.net.decoders[0].heads:
        nn.init.normal_(head.weight, std=0.1)
    images = torch.rand(1, 3, 16, 16)
    found = model.outputs(images)
    assert set(found) == {"head_1", "head_2", "head_3", "head_4", "out"}
    assert torch.equal(found["out"], found["head_2"])
    assert not torch.allclose(found["head_1"], found["head_2"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kernel_size": 4}, "kernel_size is 4"),
        ({"width": 0.0}, "width is 0.0"),
        ({"decoder_width": -1.0}, "decoder_width -1.0"),
        ({"input_bits": 9}, "input_bits is 9"),
        ({"depth": 3}, "takes no option 'depth'"),
    ],
)
def test_bad_options(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        create_purifier("advfilter", **options)


def test_bad_head() -> None:
    with pytest.raises(InputError, match="head is 5"):
        create_purifier("multi_head", head=5)


def test_wrong_channels_are_refused(images: Tensor) -> None:
    with pytest.raises(InputError, match="expected 1"):
        create_purifier("advfilter", channels=1, width=0.05)(images)
