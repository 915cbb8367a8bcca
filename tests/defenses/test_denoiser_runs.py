"""Trainings of denoisers as a user runs them: in several processes, killed, and gone wrong."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch
from robust_restoration_training import train_by_name

from robust_restoration.images.files import write_image
from robust_restoration.models.weights import read_weights
from robust_restoration.training import CHECKPOINT

SCRIPT = """
import sys
from robust_restoration_training import train_by_name
steps = int(sys.argv[3])
train_by_name(
    "hat", sys.argv[1], sys.argv[2], denoiser="dncnn_test", steps=steps, batch_size=4, lr=3e-3,
    network={"batch_norm": False}, options={"patch": 20}, validate_every=4,
    save_every=2, progress=False, channels_last=False, schedule="linear", precision="fp32",
)
"""


@pytest.fixture
def folder(tmp_path):
    draw = torch.Generator().manual_seed(0)
    for number in range(8):
        rough = torch.rand(1, 1, 6, 6, generator=draw)
        image = torch.nn.functional.interpolate(rough, size=(32, 40), mode="bilinear")[0]
        write_image(image, tmp_path / f"images/{number}.png")
    return tmp_path / "images"


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(folder, launch, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    curves, weights = [], []
    for processes in (1, 2):
        out = tmp_path / f"run{processes}"
        launch(script, folder, out, 12, processes=processes)
        history = json.loads((out / "history.json").read_text())
        curves.append([row["loss"] for row in history])
        weights.append(read_weights(out / "dncnn_test.safetensors")[0])
    assert len(curves[0]) == 3
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
    for name, tensor in weights[0].items():
        assert torch.allclose(tensor, weights[1][name], atol=1e-5)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_processes_wait_for_the_one_that_saves(folder, launch, tmp_path):
    script = tmp_path / "train.py"
    slow = """
import time
from robust_restoration.training.loop import _Run
save = _Run.save
_Run.save = lambda run: (time.sleep(3 * run.accelerator.is_main_process), save(run))
"""
    script.write_text(SCRIPT.replace("steps = int", slow + "steps = int"))
    launch(script, folder, tmp_path / "run", 1, processes=2)
    assert json.loads((tmp_path / "run/dncnn_test.json").read_text())["minutes"] > 0


@pytest.mark.slow
@pytest.mark.exhaustive
def test_killed_at_any_moment_it_ends_bit_equal(folder, launch, one_thread, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    steps = 300
    launch(script, folder, tmp_path / "whole", steps)
    words = [sys.executable, script, folder, tmp_path / "killed", str(steps)]
    for _ in range(2):
        process = subprocess.Popen(
            list(map(str, words)), env=one_thread, stderr=subprocess.DEVNULL
        )
        began = tmp_path / "killed" / CHECKPOINT
        before = began.stat().st_mtime_ns if began.exists() else 0
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if began.exists() and began.stat().st_mtime_ns != before:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert int(read_weights(began)[1]["step"]) < steps
    launch(script, folder, tmp_path / "killed", steps)
    whole, again = (
        read_weights(tmp_path / run / "dncnn_test.safetensors")[0] for run in ("whole", "killed")
    )
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.mark.slow
def test_accumulated_parts_give_the_gradient_of_the_whole(folder, tmp_path):
    found = []
    for accumulate in (1, 2):
        path = train_by_name(
            "standard",
            folder,
            tmp_path / str(accumulate),
            denoiser="dncnn_test",
            network={"batch_norm": False},
            options={"patch": 20},
            precision="fp32",
            steps=3,
            batch_size=4,
            accumulate=accumulate,
            progress=False,
        )
        found.append(read_weights(path)[0])
    for name, tensor in found[0].items():
        assert torch.allclose(tensor, found[1][name], atol=1e-5)


@pytest.mark.slow
def test_the_card_says_how_it_was_trained(folder, tmp_path):
    path = train_by_name(
        "hat",
        folder,
        tmp_path / "run",
        denoiser="dncnn_test",
        options={"patch": 20, "alpha": 2.0},
        steps=2,
        batch_size=2,
        val_fraction=0.25,
        progress=False,
    )
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["entry"] == "dncnn_test"
    assert card["training"]["defense"] == "hat"
    options = card["training"]["defense_options"]
    assert (options["patch"], options["alpha"]) == (20, 2.0)  # numbers, as they were given
    assert card["training"]["val_fraction"] == 0.25
    assert card["data"].startswith("images: 8 images")


@pytest.mark.slow
def test_two_processes_share_each_batch(launch, tmp_path):
    """Not that each does everything, which gives the same curve too.

    The loss takes parts of the model, one of them where the process has a certain row.
    """
    script = tmp_path / "train.py"
    script.write_text(
        """
import json, os, sys
import torch
from torch import nn
from robust_restoration.contracts import Defense
from robust_restoration.training import train

class Rows:
    def __len__(self):
        return 8

    def batch(self, indices, generator, stage):
        return {"x": indices.float()[:, None]}

class Seen(Defense):
    rows = []

    def loss(self, model, batch, step):
        x = batch["x"]
        self.rows.append(x.flatten().int().tolist())
        value = model[0](x).square().mean()
        if (x < 1).any():
            value = value + (model[1](x) * (x < 1)).square().mean()
        return value, {}

torch.manual_seed(int(os.environ.get("RANK", 0)))
model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1))
train(model, Seen(), Rows(), steps=4, batch_size=4, progress=False, accumulate=2)
with open(f"{sys.argv[1]}/rank{os.environ.get('RANK', 'less')}.json", "w") as file:
    json.dump([Seen.rows, [float(p) for p in model.parameters()]], file)
"""
    )
    launch(script, tmp_path, processes=2)
    launch(script, tmp_path)
    one, two, alone = (
        json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1, "less")
    )
    assert one[1] == two[1] == pytest.approx(alone[1], abs=1e-6)
    one, two = one[0], two[0]
    assert [len(rows) for rows in one + two] == [1] * 16  # two parts a step, a row each
    for epoch in (slice(0, 4), slice(4, 8)):
        assert sorted(row for rows in one[epoch] + two[epoch] for row in rows) == list(range(8))
