"""The commands for denoisers as a user meets them."""

import json

import numpy as np
import pytest
import torch

from robust_restoration.images.files import read_image, write_image
from robust_restoration.models.weights import read_weights


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for number in range(4):
        rough = torch.rand(1, 1, 8, 8)
        image = torch.nn.functional.interpolate(rough, size=(40, 36), mode="bilinear")[0]
        write_image(image, folder / f"{number}.png")
    return folder


@pytest.fixture
def trained(run, photos, tmp_path):
    """A run's folder, and the word for its denoiser."""
    out = tmp_path / "run"
    status, _, err = run(
        "train", "hat", "--denoiser", "dncnn_test", "--data", photos, "--sigma", "0-25",
        "--steps", 4, "--batch-size", 2, "--precision", "fp32", "-o", out, "--set", "patch=20",
        "--set", "alpha=2",
    )
    assert status == 0, err
    assert "alpha=2" in err
    assert "steps=4" in err
    return out, f"dncnn_test={out / 'dncnn_test.safetensors'}"


@pytest.mark.slow
def test_train_evaluate_attack_denoise(run, photos, trained, tmp_path):
    _, denoiser = trained
    status, out, err = run(
        "evaluate", "--denoiser", denoiser, "--data", photos, "--threat", "obsatk steps=2",
        "--threat", "fgsm", "--limit", 2, "-o", tmp_path / "results/r",
    )
    assert status == 0, err
    assert "obsatk" in out
    assert "random direction" in out
    assert {p.suffix for p in (tmp_path / "results").iterdir()} == {
        ".json", ".md", ".tex", ".png", ".csv"
    }
    status, out, _ = run(
        "evaluate", "--denoiser", denoiser, "--data", photos, "--threat", "obsatk", "--json"
    )
    rows = {(row["threat"], row["control"]): row for row in json.loads(out)["summary"]}
    assert rows["obsatk", ""]["psnr"] > 0

    attacked = tmp_path / "attacked"
    status, _, err = run(
        "attack", photos, "-o", attacked, "--denoiser", denoiser, "--attack", "obsatk", "--eps",
        "5/255", "--set", "steps=1",
    )
    assert status == 0, err
    with np.load(attacked / "1.png.npz") as arrays:
        size = np.sqrt(((arrays["attacked"] - arrays["noisy"]) ** 2).mean())
        assert size == pytest.approx(5 / 255, rel=0.1)
        assert np.allclose(arrays["clean"], read_image(photos / "1.png"))
    assert (attacked / "1.png.strip.png").exists()

    status, _, err = run("denoise", attacked, "-o", tmp_path / "again", "--denoiser", denoiser)
    assert status == 0
    assert not list((tmp_path / "again").glob("*strip*"))

    (photos / "broken.png").write_bytes(b"no image")
    status, _, err = run("denoise", photos, "-o", tmp_path / "out", "--denoiser", denoiser)
    assert status == 1
    assert "4 restored" in err
    assert "broken.png" in err
    assert read_image(tmp_path / "out/0.png").shape == (1, 40, 36)


@pytest.mark.slow
def test_a_run_s_recipe_trains_it_again(run, photos, trained, tmp_path):
    first, _ = trained
    again = tmp_path / "again"
    status, _, err = run(
        "train", "--recipe", first / "recipe.yaml", "-o", again
    )
    assert status == 0, err
    one, two = (read_weights(f / "dncnn_test.safetensors")[0] for f in (first, again))
    assert all(torch.equal(one[name], two[name]) for name in one)
    (tmp_path / "broken.yaml").write_text("summary: [")
    status, _, err = run(
        "train", "hat", "--denoiser", "dncnn_test", "--data", photos, "--recipe",
        tmp_path / "broken.yaml", "-o", tmp_path / "x",
    )
    assert status == 2
    assert "is not a recipe" in err


@pytest.mark.slow
def test_colour_files_through_a_gray_denoiser(run, trained, tmp_path):
    write_image(torch.rand(3, 30, 32), tmp_path / "colour/a.png")
    folder = tmp_path / "colour"
    status, _, _ = run("denoise", folder, "-o", tmp_path / "out", "--denoiser", trained[1])
    assert status == 0
    assert read_image(tmp_path / "out/a.png").shape == (3, 30, 32)
    status, _, err = run("attack", folder, "-o", tmp_path / "o2", "--denoiser", trained[1])
    assert status == 0, err
    assert read_image(tmp_path / "o2/a.png").shape == (3, 30, 32)


@pytest.mark.slow
def test_weights_pack(run, trained, tmp_path):
    import robust_restoration as rr

    folder, _ = trained
    status, _, err = run("weights", "pack", folder, "--no-half", "-o", tmp_path / "w.safetensors")
    assert status == 0, err
    packed = rr.create_denoiser("dncnn_test", weights=str(tmp_path / "w.safetensors"))
    own = rr.create_denoiser("dncnn_test", weights=str(folder / "dncnn_test.safetensors"))
    for name, tensor in packed.state_dict().items():
        assert torch.equal(tensor, own.state_dict()[name])
    card = json.loads((tmp_path / "w.json").read_text())
    assert card["steps_done"] == 4
    assert card["training"]["defense"] == "hat"
    status, _, err = run("weights", "pack", tmp_path)
    assert status == 2
    assert "holds no run" in err


@pytest.mark.slow
def test_weights_push(run, trained, monkeypatch):
    import huggingface_hub

    sent = []

    class Hub:
        def create_repo(self, name, **options):
            sent.append(name)

        def upload_file(self, *, path_or_fileobj, path_in_repo, repo_id):
            sent.append((path_in_repo, path_or_fileobj.stat().st_size > 0))

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    status, _, err = run("weights", "push", trained[0], "someone/dncnn")
    assert status == 0, err
    assert sent == ["someone/dncnn", ("model.safetensors", True), ("model.json", True)]
    monkeypatch.setattr(Hub, "create_repo", lambda *_, **__: 1 / 0)
    status, _, err = run("weights", "push", trained[0], "someone/dncnn")
    assert status == 2
    assert "could not be uploaded" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("evaluate", "--data", "x"), "either --denoiser, or --classifier"),
        (("evaluate", "--denoiser", "dncnn_x", "--data", "x"), "dncnn"),
        (("evaluate", "--denoiser", "dncnn_test", "--data", "no-such-set"), "no-such-set"),
        (("evaluate", "--denoiser", "dncnn_test", "--data", "x", "--sigma", "300"), "not a level"),
        (("train", "hat", "--data", "x", "-o", "y"), "either a denoiser, or a purifier"),
        (("train", "hat", "--denoiser", "dncnn_test", "--data", "x", "-o", "y", "--recipe", "hut"),
         "the recipe 'hut'"),
        (("attack", ".", "-o", "y", "--denoiser", "math:nothing"), "does not import"),
        (("attack", ".", "-o", "y", "--set", "steps"), "NAME=VALUE"),
    ],
)
def test_bad_input(run, words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*words)
    assert status == 2
    assert sentence in err
