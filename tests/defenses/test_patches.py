import pytest
import torch
from robust_restoration_defenses.patches import Patches

import robust_restoration as rr
from robust_restoration.data import RestorationImages
from robust_restoration.errors import InputError


@pytest.fixture
def images():
    """Each pixel says where it is: its row and its column."""
    rows = torch.arange(30, dtype=torch.float32).view(1, 30, 1).expand(1, 30, 34) / 255
    columns = torch.arange(34, dtype=torch.float32).view(1, 1, 34).expand(1, 30, 34) / 255
    return [rows.contiguous(), columns.contiguous(), rows + columns]


def draw(patches, seed=0, count=3):
    return patches.batch(torch.arange(count), torch.Generator().manual_seed(seed), "train")


def test_squares_are_parts_of_the_images(images):
    patches = Patches(images, side=12, augment=False)
    for seed in range(20):
        clean = draw(patches, seed)["clean"]
        assert clean.shape == (3, 1, 12, 12)
        top = int(clean[0, 0, 0, 0] * 255 + 0.5)
        rows = torch.arange(top, top + 12.0)[:, None].expand(12, 12)
        assert torch.allclose(clean[0, 0] * 255, rows)
        assert 0 <= top <= 30 - 12


def test_all_places_and_all_turns_are_drawn(images):
    patches = Patches(images, side=29)
    found = set()
    for seed in range(400):
        clean = draw(patches, seed)["clean"]
        found.add(tuple((clean[1:, 0, [0, 0, -1], [0, -1, 0]] * 255).round().flatten().tolist()))
    # Of the third image, a square at one of 2 x 6 places begins at one of 7 sums of row and column;
    # its corners then tell 4 of the 8 turns apart, as it is its own mirror image.
    assert len({corners[3:] for corners in found}) == 7 * 4


def test_the_same_arguments_give_the_same_batch(images):
    patches = Patches(images, side=12, scales=(1.0, 0.7))
    assert torch.equal(draw(patches, 5)["clean"], draw(patches, 5)["clean"])
    assert not torch.equal(draw(patches, 5)["clean"], draw(patches, 6)["clean"])


def test_scales(images):
    patches = Patches(images, side=12, scales=(0.5,), augment=False)
    steps = draw(patches)["clean"][0, 0, 2:9, 5].diff() * 255
    assert torch.allclose(steps, torch.full((6,), 2.0), atol=0.05)
    with pytest.raises(InputError, match=r"at scale 0\.5"):
        Patches(images, side=16, scales=(1.0, 0.5))


def test_8_bit_images_stay_so_in_memory():
    image = torch.randint(0, 256, (3, 20, 20), dtype=torch.uint8)
    patches = Patches([image], side=20, augment=False)
    assert patches.images[0][0].dtype == torch.uint8
    assert torch.equal(draw(patches, count=1)["clean"][0], image.float() / 255)


def test_split_keeps_images_apart(images):
    training, validation = Patches(images, side=12).split(0.34)
    assert sorted(training.names + validation.names) == sorted(Patches(images, side=12).names)
    assert not validation.augment
    assert Patches(images, side=12).split(0)[1] is None


@pytest.mark.parametrize("options", [{"side": 0}, {"scales": ()}, {"scales": (-1.0,)}])
def test_bad_options(options, images):
    with pytest.raises(InputError, match="above 0"):
        Patches(images, **options)


@pytest.fixture
def pairs():
    """Pairs of real noise: each noisy image is its clean one, upside down in value."""
    clean = [torch.rand(1, 20, 24, generator=torch.Generator().manual_seed(n)) for n in range(4)]
    names = [str(n) for n in range(4)]
    return RestorationImages("camera", clean, names, noisy=[1 - image for image in clean])


def test_real_noise_is_cut_where_the_clean_images_are(pairs):
    batch = draw(Patches(pairs, side=12), count=4)
    assert torch.allclose(batch["noisy"], 1 - batch["clean"])
    with pytest.raises(InputError, match="scaling would change the noise"):
        Patches(pairs, side=12, scales=(1.0, 0.5))


def test_training_takes_real_noise_or_says_that_it_does_not(pairs):
    training, _ = rr.create_defense("standard", patch=12).prepare(pairs, val_fraction=0)
    batch = draw(training)
    assert torch.allclose(batch["noisy"], 1 - batch["clean"])
    for name, options in (("noise2noise", {}), ("standard", {"noise": "poisson:30"})):
        with pytest.raises(InputError, match="camera has real noisy images"):
            rr.create_defense(name, patch=12, **options).prepare(pairs)
