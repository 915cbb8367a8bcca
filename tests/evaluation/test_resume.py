"""Going on from a state file, and several processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError
from robust_restoration.evaluation.engine import Engine
from robust_restoration.evaluation.state import State
from robust_restoration.processes import part_file, part_files


class Blur(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(1.0))

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy + self.share * (nn.functional.avg_pool2d(noisy, 3, 1, 1) - noisy)


IMAGES = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def table(denoiser: nn.Module, state: Path | None, **options: object) -> rr.Result:
    given = {"threats": ["obsatk steps=2"], "batch_size": 2, "checks": False, **options}
    return rr.evaluate(denoiser, IMAGES, state=state, progress=False, **given)


def test_goes_on_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "s.json"
    whole = table(Blur(), None)
    monkeypatch.setattr("robust_restoration.evaluation.state.PAUSE", 0.0)
    blocks: list[list[int]] = []
    original = Engine.block

    def block(self: object, numbers: list[int], *rest: object) -> bool:
        if len(blocks) == 2:
            raise KeyboardInterrupt
        blocks.append(numbers)
        return original(self, numbers, *rest)

    monkeypatch.setattr(Engine, "block", block)
    with pytest.raises(KeyboardInterrupt):
        table(Blur(), state)
    monkeypatch.setattr(Engine, "block", original)
    kept = rr.Result.from_json(state)
    assert set(kept.images()) == {"0", "1", "2", "3"}
    put: list[str] = []
    measured = Engine.measured
    monkeypatch.setattr(
        Engine, "measured",
        lambda self, subject, block, *rest, **more: put.extend(block.numbers) or measured(
            self, subject, block, *rest, **more
        ),
    )
    again = table(Blur(), state)
    assert set(put) == {4, 5}
    assert again == whole
    assert rr.Result.from_json(state) == whole
    put.clear()
    assert table(Blur(), state) == whole
    assert put == []
    more = table(Blur(), state, threats=["obsatk steps=2", "denoising_pgd"])
    assert more.threats == ["obsatk steps=2", "denoising_pgd"]
    assert len(put) == 6 * 4  # the new threat and its controls
    assert table(Blur(), state).threats == ["obsatk steps=2"]  # what was asked for
    assert rr.Result.from_json(state).threats == more.threats  # the file keeps what it has


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": 1}, "other settings \\(seed\\)"),
        ({"sigma": 0.2}, "other settings \\(noise\\)"),
        ({"threats": {"obsatk steps=2": "obsatk steps=3"}}, "the threat 'obsatk steps=2'"),
        ({"controls": False}, "\\(controls\\)"),
        ({"limit": 3}, "\\(data_hash\\)"),
    ],
)
def test_other_settings_are_named(
    tmp_path: Path, options: dict[str, object], sentence: str
) -> None:
    table(Blur(), tmp_path / "s.json")
    before = (tmp_path / "s.json").read_text()
    with pytest.raises(InputError, match=sentence):
        table(Blur(), tmp_path / "s.json", **options)
    assert (tmp_path / "s.json").read_text() == before


def test_other_weights_of_a_denoiser_are_named(tmp_path: Path) -> None:
    table(Blur(), tmp_path / "s.json")
    other = Blur()
    other.share.data += 0.1
    with pytest.raises(InputError, match="weights of Blur"):
        table(other, tmp_path / "s.json")


def test_a_retrained_purifier_is_computed_anew(
    tiny_classifier: nn.Module, photographs: torch.Tensor, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = rr.LabelledImages((photographs * 255).byte(), torch.arange(4))
    put: list[str] = []
    add = State.add
    monkeypatch.setattr(
        State, "add",
        lambda self, records: add(self, (put.append(r.subject) or r for r in records)),
    )

    def measure(purifiers: dict[str, nn.Module]) -> rr.Result:
        found = rr.evaluate(
            tiny_classifier, data, purifiers=purifiers, state=tmp_path / "s.json",
            threats=["gray-box steps=1", "white-box-quick steps=1"], eps=0.05, checks=False,
            progress=False,
        )
        return found

    first = measure({"median": rr.create_purifier("median"), "blur": Blur()})
    retrained = Blur()
    retrained.share.data += 0.5
    computed: list[str] = []
    measured = Engine.measured
    monkeypatch.setattr(
        Engine, "measured",
        lambda self, subject, *rest, **more: computed.append(subject) or measured(
            self, subject, *rest, **more
        ),
    )
    again = measure({"median": rr.create_purifier("median"), "blur": retrained})
    assert set(computed) == {"blur"}
    assert again.values("gray-box steps=1", subject="median") == first.values(
        "gray-box steps=1", subject="median"
    )
    assert again.mean("unattacked", "psnr", subject="blur") != first.mean(
        "unattacked", "psnr", subject="blur"
    )


def test_parts_are_those_that_processes_write_and_no_file_of_others(tmp_path: Path) -> None:
    path = tmp_path / "hat[1].json"
    parts = ["hat[1].part0.json", "hat[1].part12.json"]
    others = ["hat[1].partial.json", "hat1.part0.json", "hat[1].part0.csv", "hat[1].json"]
    for name in (*parts, *others):
        (tmp_path / name).touch()
    assert [p.name for p in part_files(path)] == parts
    assert part_file(path, 12) in part_files(path)
    assert not part_files(tmp_path / "none" / "a.json")


def test_a_result_whose_name_goes_on_alike_is_left_alone(tmp_path: Path) -> None:
    table(Blur(), tmp_path / "s.partial.json")
    before = (tmp_path / "s.partial.json").read_text()
    table(Blur(), tmp_path / "s.json")
    assert (tmp_path / "s.partial.json").read_text() == before


DENOISER = """
import sys
import torch
from torch import nn
import robust_restoration as rr
from robust_restoration.evaluation.engine import Engine
from robust_restoration.processes import Processes

images = [
    nn.functional.interpolate(torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(i)),
                              size=size, mode="bilinear")[0]
    for i, size in enumerate([(20, 24), (17, 30), (20, 24), (20, 24), (17, 30), (17, 30)])
]
torch.manual_seed(0)
subject = rr.create_denoiser("dncnn_test", batch_norm=False).eval()
options = {"threats": ["obsatk steps=3", "obsatk_auto steps=3 restarts=2"]}
"""
PURIFIER = """
import sys
import torch
from torch import nn
import robust_restoration as rr
from robust_restoration.evaluation.engine import Engine
from robust_restoration.processes import Processes

class Noise(rr.Purifier):
    random = True
    def forward(self, images):
        return (images + 0.2 * torch.randn_like(images)).clamp(0, 1)

images = rr.LabelledImages(
    torch.randint(0, 255, (7, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte(),
    torch.arange(7),
)
torch.manual_seed(0)
subject = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(8, 10)).eval()
images.labels = subject(images.pixels(slice(None))).argmax(1)
options = {"purifiers": {"noise": Noise()}, "eps": [0.01, 0.05],
           "threats": ["gray-box steps=2", "white-box-quick steps=2 draws=2",
                       "black-box n_queries=5"]}
"""
END = """
mine = []
block = Engine.block
def spy(self, numbers, *rest):
    mine.extend(numbers)
    if len(sys.argv) > 2 and Processes().rank == 1 and len(mine) > 2:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    return block(self, numbers, *rest)
Engine.block = spy
torch.rand(1 + Processes().rank)  # processes have drawn differently before
result = rr.evaluate(subject, images, batch_size=2, seed=1, progress=False,
                     state=sys.argv[1] + ".state", **options)
with open(f"{sys.argv[1]}.rank{Processes().rank}", "w") as file:
    file.write(" ".join(map(str, mine)))
if Processes().main:
    result.to_json(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    # Denoisers are also in the test below.
    "subject", [pytest.param(DENOISER, marks=pytest.mark.exhaustive), PURIFIER]
)
def test_two_processes_share_the_work_and_agree_to_the_last_digit(
    launch: Callable[..., None], tmp_path: Path, subject: str
) -> None:
    script = tmp_path / "evaluate.py"
    script.write_text(subject + END)
    found = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.json"
        launch(script, out, processes=processes)
        found.append(json.loads(out.read_text()))
        shares = [p.read_text().split() for p in sorted(tmp_path.glob(f"{processes}.json.rank*"))]
        assert len(shares) == processes
        assert all(shares)
        images = [number for share in shares for number in share]
        assert sorted(images) == [str(n) for n in range(7 if "Noise" in subject else 6)]
    for key in ("records", "summary", "notes", "warnings", "settings"):
        assert found[0][key] == found[1][key], key
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_and_the_rest_is_kept(
    launch: Callable[..., None], one_thread: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "evaluate.py"
    script.write_text("import robust_restoration.evaluation.state as s\ns.PAUSE = 0\n" + DENOISER
                      + END)
    out = tmp_path / "r.json"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node",
               "2", str(script), str(out), "die"]
    ended = subprocess.run(command, env=one_thread, capture_output=True, text=True,
                           timeout=200)
    assert ended.returncode != 0
    assert not out.exists()
    launch(script, out)
    resumed = (tmp_path / "r.json.rank0").read_text()
    whole = tmp_path / "whole.json"
    launch(script, whole)
    found = [json.loads(path.read_text()) for path in (out, whole)]
    for content in found:  # what made them differs
        content["environment"].pop("command", None)
    assert found[0] == found[1]
    resumed = (tmp_path / "r.json.rank0").read_text()
    assert resumed
