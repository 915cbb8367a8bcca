"""The training loop: exact resume, atomic checkpoints, clear stops."""

from __future__ import annotations

import csv
import itertools
import json
import math
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Generator, Tensor, nn

from robust_restoration import train
from robust_restoration.contracts import Batch, Defense, Stage, Step
from robust_restoration.errors import InputError, TrainingError
from robust_restoration.models.weights import read_weights
from robust_restoration.plugins.discovery import DISABLE_VARIABLE
from robust_restoration.plugins.registry import registry
from robust_restoration.training import CHECKPOINT, Settings, minutes_trained
from robust_restoration.training.batches import stage_ends
from robust_restoration.training.run_folder import RunFolder

FILES = {
    "checkpoint.safetensors", "curves.csv", "history.json", "recipe.yaml", "settings.json"
}
COMMON = {"steps": 12, "batch_size": 4, "lr": 1e-2, "progress": False}


class Line(Defense):
    """Two stages: the first layer, then the second."""

    def stages(self, model: nn.Module) -> tuple[Stage, ...]:
        return (
            Stage("first", 2, parameters=lambda model: model[0].parameters()),
            Stage("second", 1, parameters=lambda model: model[2].parameters()),
        )

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        noise = torch.randn(batch["x"].shape, generator=step.generator) * 0.1
        return (model(batch["x"] + noise) - batch["y"]).square().mean(), {}

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        return {"mse": float((model(batch["x"]) - batch["y"]).square().mean())}


class Points:
    def __init__(self, count: int = 10, bad_after: int | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(count, 3, generator=generator)
        self.bad_after, self.drawn = bad_after, 0

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        self.drawn += 1
        x = self.x[indices]
        if self.bad_after is not None and self.drawn > self.bad_after:
            x = x * math.nan
        return {"x": x, "y": x.sum(dim=1, keepdim=True)}


def net() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))


def equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(),
                                                 strict=True))


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("stop", [1, 5, 8, 11])  # 8 is the border of the stages
def test_resume_is_bit_equal(tmp_path: Path, ema: float, stop: int) -> None:
    whole = train(net(), Line(), Points(), ema=ema, **COMMON)

    def interrupt(step: int, _: object) -> None:
        if step == stop + 1:
            raise KeyboardInterrupt

    options = {**COMMON, "ema": ema, "save_every": 1, "out": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train(net(), Line(), Points(), on_step=interrupt, **options)
    other = net()
    with torch.no_grad():
        other[0].weight.zero_()  # what it starts from no longer matters
    steps: list[int] = []
    resumed = train(other, Line(), Points(), on_step=lambda s, _: steps.append(s), **options)
    assert steps[0] == stop + 1
    assert equal(whole, resumed)


def test_a_run_needs_no_plugin_that_writes_recipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = train(net(), Line(), Points(), out=tmp_path / "with", **COMMON)
    monkeypatch.setenv(DISABLE_VARIABLE, "training")
    registry.cache_clear()
    try:
        same = train(net(), Line(), Points(), out=tmp_path / "without", **COMMON)
    finally:
        monkeypatch.undo()
        registry.cache_clear()
    assert equal(trained, same)
    files = {path.name for path in (tmp_path / "with").iterdir()}
    assert files - {path.name for path in (tmp_path / "without").iterdir()} == {"recipe.yaml"}


@pytest.mark.slow
def test_a_killed_run_ends_bit_equal(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, os, signal, pathlib\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_training_loop import *\n"
        "def kill(step, _):\n"
        "    if step == 7: os.kill(os.getpid(), signal.SIGKILL)\n"
        "train(net(), Line(), Points(), save_every=2, out=sys.argv[1], on_step=kill, **COMMON)\n",
        encoding="utf-8",
    )
    run = subprocess.run([sys.executable, script, tmp_path / "run"], capture_output=True)
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names == FILES
    resumed = train(net(), Line(), Points(), save_every=2, out=tmp_path / "run", **COMMON)
    assert equal(resumed, train(net(), Line(), Points(), **COMMON))


def test_the_time_of_all_sittings_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**COMMON, "out": tmp_path, "save_every": 1}
    clock = itertools.count(0.0, 6.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    def interrupt(step: int, _: object) -> None:
        if step == 4:
            raise KeyboardInterrupt

    def minutes() -> float:
        return minutes_trained(read_weights(tmp_path / CHECKPOINT)[1])

    with pytest.raises(KeyboardInterrupt):
        train(net(), Line(), Points(), on_step=interrupt, **options)
    first = minutes()
    train(net(), Line(), Points(), **options)
    whole = minutes()
    assert 0 < first < whole
    train(net(), Line(), Points(), **options)
    assert minutes() == whole  # looking at a finished run is no training


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    first = train(net(), Line(), Points(), out=tmp_path, **COMMON)
    steps: list[int] = []
    again = train(net(), Line(), Points(), out=tmp_path, on_step=lambda s, _: steps.append(s),
                  **COMMON)
    assert steps == []
    assert equal(first, again)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    train(net(), Line(), Points(), out=tmp_path, **COMMON)
    with pytest.raises(InputError, match=r"begun with lr=0\.01; now it is lr=0\.02"):
        train(net(), Line(), Points(), out=tmp_path, **{**COMMON, "lr": 0.02})
    with pytest.raises(InputError, match="already holds a run"):
        train(net(), Line(), Points(), out=tmp_path, resume=False, **COMMON)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nan at step 6 .*checkpoint in .* lower lr"):
        train(net(), Line(), Points(bad_after=5), out=tmp_path, save_every=1, **COMMON)
    resumed = train(net(), Line(), Points(), out=tmp_path, save_every=1, **COMMON)
    assert equal(resumed, train(net(), Line(), Points(), **COMMON))


@pytest.mark.parametrize("kind", [OSError, SafetensorError])  # a full disk may be either
def test_a_failed_write_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    from robust_restoration.models import weights

    original, count = weights.save_file, [0]

    def full_disk(tensors: object, path: Path, *rest: object) -> None:
        count[0] += 1
        if count[0] == 3:
            Path(path).write_bytes(b"half")
            raise kind("No space left on device")
        original(tensors, path, *rest)

    monkeypatch.setattr(weights, "save_file", full_disk)
    with pytest.raises(TrainingError, match="No space left"):
        train(net(), Line(), Points(), out=tmp_path, save_every=2, **COMMON)
    assert {p.name for p in tmp_path.iterdir()} == FILES
    resumed = train(net(), Line(), Points(), out=tmp_path, save_every=2, **COMMON)
    assert equal(resumed, train(net(), Line(), Points(), **COMMON))


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    train(net(), Line(), Points(), out=tmp_path, **COMMON)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(TrainingError, match=r"damaged.*remove it"):
        train(net(), Line(), Points(), out=tmp_path, **COMMON)


def test_moving_average_by_hand() -> None:
    states: list[Tensor] = []
    model = net()
    start = model[0].weight.detach().clone()
    train(
        model, Line(), Points(), ema=0.5,
        on_step=lambda *_: states.append(model[0].weight.detach().clone()), **COMMON
    )
    average = start
    for number, weight in enumerate(states):
        age = number % 8  # the second stage begins after eight steps, and an average of its own
        decay = min(0.5, (1 + age) / (10 + age))
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(model[0].weight.detach(), average)


def test_a_stage_has_its_own_learning_rate() -> None:
    class Faster(Line):
        def stages(self, model: nn.Module) -> tuple[Stage, ...]:
            first, second = super().stages(model)
            return (first, replace(second, lr=3.0))

    rates: list[float] = []
    train(net(), Faster(), Points(), on_step=lambda _, f: rates.append(f["lr"]), **COMMON)
    assert rates[0] == pytest.approx(1e-2)
    assert rates[8] == pytest.approx(3e-2)


@pytest.mark.slow
def test_history_has_validation(tmp_path: Path) -> None:
    train(net(), Line(), Points(), out=tmp_path, validation=Points(7), validate_every=5, **COMMON)
    rows = json.loads((tmp_path / "history.json").read_text())
    assert [(r["step"], r["stage"]) for r in rows] == [(5, "first"), (10, "second"),
                                                       (12, "second")]
    assert all(r["val_mse"] > 0 for r in rows)


def test_callers_random_numbers_are_left_alone() -> None:
    model = net()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train(model, Line(), Points(), **COMMON)
    assert torch.equal(torch.rand(2), expected)


def test_each_epoch_draws_every_sample_once() -> None:
    seen: list[int] = []

    class Watched(Points):
        def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
            seen.extend(indices.tolist())
            return super().batch(indices, generator, stage)

    train(net(), Line(), Watched(), **COMMON)
    assert all(sorted(seen[i : i + 10]) == list(range(10)) for i in range(0, 40, 10))
    assert seen[:10] != seen[10:20]


def test_schedules() -> None:
    for name, middle, end in (("constant", 1, 1), ("linear", 0.5, 0), ("cosine", 0.5, 0)):
        settings = Settings(steps=1, schedule=name, decay_from=0.0)
        assert settings.rate(0.0) == 1
        assert settings.rate(0.5) == pytest.approx(middle)
        assert settings.rate(1.0) == pytest.approx(end)
    assert Settings(steps=1, decay_from=0.4).rate(0.39) == 1
    assert Settings(steps=1, warmup=0.1).rate(0.05) == 0.5


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 101])
def test_stages_share_the_steps(steps: int) -> None:
    ends = stage_ends((Stage("a", 0.85), Stage("b", 0.15)), steps)
    assert ends[-1] == steps
    assert sorted(ends) == ends
    assert abs(ends[0] - 0.85 * steps) <= 0.5


@pytest.mark.parametrize("precision", ["bf16", "fp32"])  # one after the other, too
def test_precision(precision: str) -> None:
    dtypes: set[torch.dtype] = set()

    class Watch(Line):
        def loss(self, model: nn.Module, *rest: object) -> tuple[Tensor, dict[str, float]]:
            dtypes.add(model(torch.zeros(1, 3)).dtype)
            return super().loss(model, *rest)  # type: ignore[arg-type]

    model = train(net(), Watch(), Points(), precision=precision, **COMMON)
    assert dtypes == {torch.bfloat16 if precision == "bf16" else torch.float32}
    assert model[0].weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "needs steps"),
        ({"steps": 0}, "steps is 0; expected a whole number, 1 or more"),
        ({"steps": 2.5}, "steps is 2.5; expected a whole number"),
        ({"steps": 1, "batch_size": 0}, "batch_size is 0"),
        ({"steps": 1, "batch_size": 2, "accumulate": 3}, "accumulate is 3; .*1 to 2"),
        ({"steps": 1, "save_every": 0}, "save_every is 0"),
        ({"steps": 1, "lr": -1}, "lr is -1; expected a number above 0"),
        ({"steps": 1, "ema": 2}, "ema is 2; expected a share"),
        ({"steps": 1, "schedule": "step"}, "expected 'constant'"),
        ({"steps": 1, "precision": "int8"}, "expected 'fp32'"),
    ],
)
def test_bad_settings(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        train(net(), Line(), Points(), **settings)


@pytest.mark.slow
def test_curves_survive_an_interruption(tmp_path: Path) -> None:
    options = {**COMMON, "save_every": 4, "validate_every": 6, "validation": Points(4)}

    def interrupt(step: int, _: object) -> None:
        if step == 7:
            raise KeyboardInterrupt

    train(net(), Line(), Points(), out=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        train(net(), Line(), Points(), out=tmp_path / "cut", on_step=interrupt, **options)
    train(net(), Line(), Points(), out=tmp_path / "cut", **options)
    tables = []
    for run in ("whole", "cut"):
        with (tmp_path / run / "curves.csv").open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
        assert (tmp_path / run / "curves.png").stat().st_size > 1000
    assert tables[0] == tables[1]
    assert [int(row["step"]) for row in tables[0]] == list(range(1, 13))
    assert [row["step"] for row in tables[0] if row["val_mse"]] == ["6", "12"]


def test_a_row_that_a_kill_cuts_is_still_of_all_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robust_restoration.training.curves.ROWS", 4)  # a row every third step
    options = {**COMMON, "save_every": 4}

    def interrupt(step: int, _: object) -> None:
        if step == 5:
            raise KeyboardInterrupt

    train(net(), Line(), Points(), out=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        train(net(), Line(), Points(), out=tmp_path / "cut", on_step=interrupt, **options)
    train(net(), Line(), Points(), out=tmp_path / "cut", **options)
    whole, cut = ((tmp_path / run / "curves.csv").read_text() for run in ("whole", "cut"))
    assert cut == whole


def test_a_run_older_than_a_setting_goes_on(tmp_path: Path) -> None:
    train(net(), Line(), Points(), out=tmp_path, **COMMON)
    record = json.loads((tmp_path / "settings.json").read_text())
    del record["accumulate"], record["gamma"]
    (tmp_path / "settings.json").write_text(json.dumps(record))
    train(net(), Line(), Points(), out=tmp_path, **COMMON)


def test_the_rate_falls_at_milestones() -> None:
    settings = Settings(steps=100, schedule="steps", milestones=(0.3, 0.6), gamma=0.1)
    rates = [settings.rate(at) for at in (0.0, 0.29, 0.3, 0.6, 0.99)]
    assert rates == pytest.approx([1, 1, 0.1, 0.01, 0.01])


def test_the_loss_is_told_how_far_the_stage_is() -> None:
    seen = []

    class Notes(Line):
        def loss(
            self, model: nn.Module, batch: Batch, step: Step
        ) -> tuple[Tensor, dict[str, float]]:
            seen.append((step.stage, step.progress))
            return super().loss(model, batch, step)

    train(net(), Notes(), Points(), **COMMON)
    assert [round(share, 3) for stage, share in seen if stage == "second"] == [0, 0.25, 0.5, 0.75]


def write_settings(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**record, **changes}))


def test_runs_cannot_be_mixed(tmp_path: Path) -> None:
    """Seed 1 began in seed 0's folder and died; run again, it does not take seed 0's weights."""
    train(net(), Line(), Points(), out=tmp_path, seed=0, **COMMON)
    write_settings(tmp_path, seed=1)  # what the other run left
    with pytest.raises(InputError, match=r"begun with seed=0; now it is seed=1"):
        train(net(), Line(), Points(), out=tmp_path, seed=1, **COMMON)
    train(net(), Line(), Points(), out=tmp_path, seed=0, **COMMON)


class Known(Points):
    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.x = self.x + shift

    def fingerprint(self) -> str:
        return f"{float(self.x.sum()):.6f}"


def test_replaced_data_are_noticed(tmp_path: Path) -> None:
    train(net(), Line(), Known(), out=tmp_path, **COMMON)
    with pytest.raises(InputError, match="training data are not those that the run"):
        train(net(), Line(), Known(0.1), out=tmp_path, **COMMON)
    with pytest.raises(InputError, match="validation data are not those"):
        train(net(), Line(), Known(), out=tmp_path, validation=Known(), **COMMON)
    train(net(), Line(), Known(), out=tmp_path, **COMMON)


def test_another_network_or_defense_is_noticed(tmp_path: Path) -> None:
    train(net(), Line(), Points(), out=tmp_path, **COMMON)
    with pytest.raises(InputError, match="begun with network="):
        train(nn.Sequential(nn.Linear(3, 9), nn.ReLU(), nn.Linear(9, 1)), Line(), Points(),
              out=tmp_path, **COMMON)

    class Other(Line):
        pass

    with pytest.raises(InputError, match="begun with defense="):
        train(net(), Other(), Points(), out=tmp_path, **COMMON)


@pytest.mark.slow
def test_a_second_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    refused: list[str] = []

    def again(step: int, _: object) -> None:
        if step == 3:
            script = (
                f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                "from test_training_loop import *\n"
                f"train(net(), Line(), Points(), out={str(tmp_path)!r}, **COMMON)\n"
            )
            ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
            refused.append(ended.stderr.strip().splitlines()[-1])

    whole = train(net(), Line(), Points(), out=tmp_path, on_step=again, **COMMON)
    assert "Another run is training in" in refused[0]
    assert equal(whole, train(net(), Line(), Points(), **COMMON))
    assert {p.name for p in tmp_path.iterdir()} == {*FILES, "curves.png"}  # no lock is left


@pytest.mark.slow
def test_a_kill_before_the_checkpoint_loses_and_doubles_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**COMMON, "save_every": 4, "validate_every": 2, "validation": Points(4)}
    train(net(), Line(), Points(), out=tmp_path / "whole", **options)
    original, count = RunFolder.save, [0]

    def killed(folder: RunFolder, *rest: object) -> None:
        count[0] += 1
        if count[0] == 2:  # history and curves stand, the checkpoint is the earlier one
            (folder.path / ".checkpoint-abc_12xy.safetensors").write_bytes(b"half")
            raise KeyboardInterrupt
        original(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(RunFolder, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(net(), Line(), Points(), out=tmp_path / "cut", **options)
    assert json.loads((tmp_path / "cut/history.json").read_text())[-1]["step"] == 8
    train(net(), Line(), Points(), out=tmp_path / "cut", **options)
    for name in ("history.json", "curves.csv"):
        assert (tmp_path / "cut" / name).read_text() == (tmp_path / "whole" / name).read_text()
    assert not list((tmp_path / "cut").glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["history.json", "curves.csv"])
@pytest.mark.parametrize("content", [b"\xff\xfe{", b'[{"stage": 1}]', b"step,stage\nx,y\n", b""])
def test_damaged_rows_do_not_block_a_run(tmp_path: Path, name: str, content: bytes) -> None:
    def interrupt(step: int, _: object) -> None:
        if step == 6:
            raise KeyboardInterrupt

    options = {**COMMON, "save_every": 2, "validate_every": 2, "out": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train(net(), Line(), Points(), on_step=interrupt, **options)
    (tmp_path / name).write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resumed = train(net(), Line(), Points(), **options)
    assert equal(resumed, train(net(), Line(), Points(), **COMMON))
    said = [str(w.message) for w in caught if "is damaged" in str(w.message)]
    assert bool(said) == (tmp_path / f"{name}.damaged").exists()
    if content.startswith(b"\xff"):
        assert said


def test_half_precision_of_16_bits_needs_a_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="'fp16', which needs a GPU"):
        train(net(), Line(), Points(), precision="fp16", **COMMON)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fp16_steps_on_unscaled_gradients() -> None:
    """The first Adam step has the length of the rate whatever the scale; SGD's tells."""

    class Plain(Line):
        def optimizer(self, parameters: object, lr: float) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, lr=lr)  # type: ignore[arg-type]

    half, whole = (
        train(net(), Plain(), Points(), precision=p, **{**COMMON, "steps": 1})
        for p in ("fp16", "fp32")
    )
    for a, b in zip(half.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-2)


class Momentum(Line):
    """Two groups of SGD, of which the second learns ten times as fast."""

    def optimizer(self, parameters: object, lr: float) -> torch.optim.Optimizer:
        first, *rest = parameters  # type: ignore[misc]
        groups = [{"params": [first]}, {"params": rest, "lr": 10 * lr}]
        return torch.optim.SGD(groups, lr=lr, momentum=0.9)


def test_a_defense_may_choose_the_optimizer(tmp_path: Path) -> None:
    whole = train(net(), Momentum(), Points(), **COMMON)
    assert not equal(whole, train(net(), Line(), Points(), **COMMON))

    def interrupt(step: int, _: object) -> None:
        if step == 6:
            raise KeyboardInterrupt

    options = {**COMMON, "save_every": 1, "out": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        train(net(), Momentum(), Points(), on_step=interrupt, **options)
    assert equal(whole, train(net(), Momentum(), Points(), **options))


def test_the_moving_average_copies_counters(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    train(model, Line(), Points(), ema=0.9, out=tmp_path, **COMMON)
    assert int(model[1].num_batches_tracked) == 12
    again = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    train(again, Line(), Points(), ema=0.9, out=tmp_path, **COMMON)
    assert equal(model, again)


def test_trackers_get_the_rows_of_the_curves() -> None:
    from accelerate.tracking import GeneralTracker

    class Kept(GeneralTracker):
        name, requires_logging_directory = "kept", False

        def __init__(self) -> None:
            super().__init__()
            self.rows: list[tuple[int, dict[str, float]]] = []

        @property
        def tracker(self) -> object:
            return self.rows

        def store_init_configuration(self, values: object) -> None:
            pass

        def log(self, values: dict[str, float], step: int | None = None, **_: object) -> None:
            self.rows.append((step or 0, values))

    kept = Kept()
    train(net(), Line(), Points(), log_with=kept, **COMMON)
    assert [step for step, _ in kept.rows] == list(range(1, 13))
    assert kept.rows[0][1].keys() == {"loss", "lr"}


def test_adams_own_betas_are_the_default() -> None:
    assert Settings(steps=1).betas == (0.9, 0.999)


def test_a_misspelt_setting_is_named() -> None:
    with pytest.raises(InputError, match=r"no option 'batchsize'.*batch_size"):
        train(net(), Line(), Points(), steps=1, batchsize=4)


def test_data_that_a_defense_cannot_take() -> None:
    with pytest.raises(InputError, match="data for Line is a str; expected a TrainingSet"):
        train(net(), Line(), "folder", **COMMON)


def test_defenses_of_version_0_1_are_told_what_to_rename() -> None:
    with pytest.raises(InputError, match=r"Stage\(name, parameters="):
        type("Old", (Defense,), {"parameters": lambda self, model, stage: model.parameters()})
    with pytest.raises(InputError, match=r"loss\(model, batch, step\)"):
        type("Old", (Defense,), {"loss": lambda self, model, batch, stage, generator: None})


def test_each_step_draws_its_own_numbers() -> None:
    drawn = []

    class Drawing(Points):
        def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
            drawn.append(float(torch.rand((), generator=generator)))
            return super().batch(indices, generator, stage)

    for _ in range(2):
        train(net(), Line(), Drawing(), steps=4, batch_size=2, seed=3, progress=False)
    assert len(set(drawn[:4])) == 4
    assert drawn[:4] == drawn[4:]
