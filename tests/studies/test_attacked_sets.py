"""Fixed sets of attacked images: written once, read by name."""

import json

import numpy as np
import pytest
import torch
from robust_restoration_datasets.listing import list_datasets
from robust_restoration_studies import write_attacked_set
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import DataError, InputError


class Blur(nn.Module):
    def forward(self, noisy):
        return nn.functional.avg_pool2d(noisy, 3, 1, 1, count_include_pad=False)


@pytest.fixture
def clean():
    return nn.functional.interpolate(torch.rand(3, 1, 5, 5), size=(20, 24), mode="bilinear")


WORD = "l2_denoising_pgd target=noisy clip=none eps=3"


def test_what_is_read_is_what_the_attack_made(clean, tmp_path):
    found = write_attacked_set(Blur(), clean, tmp_path / "set", attack=WORD, seed=4)
    images = rr.load_images(f"attacked-set:{tmp_path / 'set'}")
    noisy, _ = rr.Gaussian(25 / 255)(clean, seed=4)
    attack = rr.create_attack(
        "l2_denoising_pgd", Blur(), target="noisy", clip=None, eps=3 / 255, seed=4
    )
    for number in range(3):
        assert torch.equal(images.image(number), clean[number])
        assert torch.equal(images.noisy_image(number), attack(noisy, clean)[number])
    assert images.noisy_image(0).max() > 1 or images.noisy_image(0).min() < 0
    assert json.loads((tmp_path / "set" / "set.json").read_text())["settings"]["attack"] == WORD
    # Evaluated, the very same figures come out.
    result = rr.evaluate(Blur(), f"attacked-set:{tmp_path / 'set'}", threats=[], checks=False)
    assert list(result.values().values()) == pytest.approx(found.attacked, abs=1e-4)


def test_sets_by_name(clean, tmp_path):
    with pytest.raises(DataError, match="attacked-set writes it"):
        rr.load_images("set12-adv-l2", root=tmp_path)
    write_attacked_set(Blur(), clean, tmp_path / "Set12-Adv-L2", attack=WORD)
    assert len(rr.load_images("Set12-Adv-L2", root=tmp_path, limit=2)) == 2
    assert len(rr.load_images("attacked-set:set12-adv-l2", root=tmp_path)) == 3
    rows = {row.name: row for row in list_datasets(tmp_path)}
    assert (rows["set12-adv-l2"].found, rows["set12-adv-linf"].found) == (3, 0)


def test_a_set_is_not_replaced_unasked(clean, tmp_path):
    write_attacked_set(Blur(), clean, tmp_path, attack=WORD)
    with pytest.raises(InputError, match="holds a set already"):
        write_attacked_set(Blur(), clean, tmp_path, attack=WORD)
    write_attacked_set(Blur(), clean[:1], tmp_path, attack=WORD, overwrite=True)
    assert len(rr.load_images(f"attacked-set:{tmp_path}")) == 1


def test_damaged_files_are_named(clean, tmp_path):
    write_attacked_set(Blur(), clean, tmp_path, attack=WORD)
    (tmp_path / "1.npz").write_bytes(b"PK nothing")
    np.savez(tmp_path / "2.npz", clean=np.zeros((1, 4, 4)), attacked=np.zeros((1, 4, 5)))
    images = rr.load_images(f"attacked-set:{tmp_path}")
    assert len(images) == 1
    assert "1.npz cannot be read" in images.damaged[0]
    assert "expected the same (C, H, W)" in images.damaged[1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no NAME\.npz"):
        rr.load_images(f"attacked-set:{tmp_path / 'empty'}")
    with pytest.raises(DataError, match="There is no folder nowhere"):
        rr.load_images("attacked-set:nowhere")


def test_the_command(clean, tmp_path, run):
    for number, image in enumerate(clean[:2]):
        rr.write_image(image, tmp_path / "photos" / f"{number}.png")
    words = ["--denoiser", "dncnn_b=nt", "--data", tmp_path / "photos", "-o", tmp_path / "set"]
    words += ["--attack", "denoising_pgd target=noisy clip=paper eps=3 steps=1"]
    status, out, err = run("attacked-set", *words)
    assert status == 0, err
    assert "change" in out
    assert len(rr.load_images(f"attacked-set:{tmp_path / 'set'}")) == 2
    status, _, err = run("attacked-set", *words)
    assert status == 2
    assert err.count("\n") == 1
